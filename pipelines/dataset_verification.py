"""The proof that a dataset is complete and true: what to ask, in which order, and what came out."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from pipelines import verification
from pipelines.corpora.formats import READERS
from pipelines.corpora.identity import identify
from pipelines.corpora.input_files import InputFile
from pipelines.corpora.records import ReaderOptions, read_tables
from pipelines.outputs.chunk_rows import chunk_rows
from pipelines.outputs.coverage import Coverage
from pipelines.outputs.folder import committed, read_errors_of
from pipelines.outputs.formats import OUTPUT_FORMATS, OutputFormat
from pipelines.outputs.manifest import Manifest
from pipelines.outputs.output_error import OutputError
from pipelines.outputs.part_note import PartNote
from pipelines.outputs.rows_by_source import RowsBySource
from pipelines.schema import CHUNK_ROW, DOCUMENT_ROW, ERROR_ROW
from pipelines.stages.document_assembler import DocumentAssembler
from pipelines.storage import Location
from pipelines.verdict import Verdict

OnProgress = Callable[[str, int, int], None]
"""Is told what is looked at, how many of these are done, and how many there are."""


def verify(folder: Location, files: Sequence[InputFile] | None, on_progress: OnProgress) -> Verdict:
    """Asks a dataset whether it is complete and true. In memory are one part's rows, or one input file's, at most.

    Args:
        folder: The dataset.
        files: The input files to read again and to hold the dataset against, by absolute names; None leaves that out.
        on_progress: For long work.

    Raises:
        OutputError: The folder holds no dataset.
    """
    manifest, verdict = Manifest.read(folder), Verdict()
    output_format: OutputFormat = manifest.settings["output_format"]
    notes = _read_notes(folder, output_format, verdict)

    check = verdict.begin("the manifest is true", f"{len(manifest.inputs):,} input files")
    if manifest.state == "running":
        verdict.add(check, [f"{folder}: the run is not finished; go on with it with --resume"])
    else:
        verdict.add(check, verification.check_manifest(manifest.counts, manifest.inputs, notes.values()))
    count = sum(one.records for note in notes.values() for one in note.coverage.values())
    check = verdict.begin("every record is covered once", f"{count:,} records")
    verdict.add(check, verification.check_coverage(manifest.inputs, notes))

    chunks = sum(sum(note.counts.chunks.values()) for note in notes.values())
    check = verdict.begin("the rows are those of their records", f"{chunks:,} chunks")
    for done, (name, note) in enumerate(notes.items()):
        on_progress("parts", done, len(notes))
        verdict.add(check, _lines(_check_part(folder, output_format, name, note)))
    if files is not None:
        _check_against(folder, manifest, files, notes, verdict, on_progress)
    return verdict


def _read_notes(folder: Location, output_format: OutputFormat, verdict: Verdict) -> dict[str, PartNote]:
    """The notes that can be read; the others are problems."""
    check = verdict.begin("the parts are readable", "")
    notes: dict[str, PartNote] = {}
    try:
        parts = committed(folder, output_format)
    except OutputError as error:
        verdict.add(check, [str(error)])
        parts = {path.stem: path for path in OUTPUT_FORMATS[output_format].note_files(folder)}
    for name, path in parts.items():
        try:
            notes[name] = OUTPUT_FORMATS[output_format].read_note(path)
        except OutputError as error:
            verdict.add(check, [str(error)])
    check.looked_at = f"{len(parts):,} parts"
    return notes


def _lines(problems: Iterator[str]) -> Iterator[str]:
    """The problems, and where the work breaks off, why."""
    try:
        yield from problems
    except OutputError as error:
        yield str(error)


def _check_part(folder: Location, output_format: OutputFormat, name: str, note: PartNote) -> Iterator[str]:
    errors = read_errors_of(folder, name)
    yield from verification.check_errors(name, note, errors)
    tables = OUTPUT_FORMATS[output_format].read_rows(folder, name)
    if OUTPUT_FORMATS[output_format].SCHEMA != DOCUMENT_ROW:
        yield from verification.check_rows(name, note, tables, errors)
        return
    documents: list[pa.Table] = []
    wrong_texts: list[str] = []

    def flattened() -> Iterator[pa.Table]:
        for table in tables:
            documents.append(table.select(["source", "ordinal", "error"]))
            rows = chunk_rows(table)
            wrong_texts.extend(f"{name}: {line}" for line in verification.check_texts(table, rows))
            yield rows

    yield from verification.check_rows(name, note, flattened(), errors)
    yield from verification.check_documents(name, note, documents, errors)
    yield from wrong_texts


def _check_against(
    folder: Location,
    manifest: Manifest,
    files: Sequence[InputFile],
    notes: Mapping[str, PartNote],
    verdict: Verdict,
    on_progress: OnProgress,
) -> None:
    inputs = {one["path"]: one for one in manifest.inputs}
    identified = identify(files, [])
    covered = verification.union(notes.values())
    rows = RowsBySource(folder, manifest.settings["output_format"], notes)
    options = ReaderOptions(**manifest.settings["reader"])
    same = verdict.begin("the inputs are those that were tagged", f"{len(files):,} files")
    read = verdict.begin("every record and every chunk is in its input", "")
    verdict.add(same, map(str, identified.refused))
    total = 0
    for done, file in enumerate(identified.files):
        on_progress("input files", done, len(files))
        if file.path not in inputs:
            verdict.add(same, [f"{file.path}: is not in the dataset; {verification.RESUME}"])
        elif inputs[file.path]["version"] != file.version:
            verdict.add(same, [f"{file.path}: changed since it was tagged; put the old file back, or --overwrite"])
        else:
            coverage = covered.get(file.path, Coverage(version=file.version, ranges=()))
            as_tagged = replace(file, format=inputs[file.path]["format"])
            total += _check_file(as_tagged, options, coverage, rows, lambda lines: verdict.add(read, lines))
    read.looked_at = f"{total:,} records"
    not_named = sorted(inputs.keys() - {file.path for file in files})
    verdict.remarks += [f"{path}: is in the dataset, and not among the inputs named" for path in not_named]


def _check_file(
    file: InputFile,
    options: ReaderOptions,
    covered: Coverage,
    rows: RowsBySource,
    add: Callable[[Iterable[str]], None],
) -> int:
    """Holds the rows of one file against the file, and says how many records it has."""
    chunks, errors = CHUNK_ROW.empty_table(), ERROR_ROW.empty_table()
    try:
        errors = rows.errors(file.path)
        chunks = rows.chunks(file.path)
    except OutputError as error:
        add([str(error)])
    ordinals, count = chunks["ordinal"].to_numpy(), 0
    for records in read_tables(file, READERS[file.format](file.path, options)):
        documents = DocumentAssembler().transform(records)
        add(verification.check_records(documents, covered, errors))
        start, stop = np.searchsorted(ordinals, [count, count + documents.num_rows])
        add(verification.check_texts(documents, chunks.slice(start, stop - start)))
        count += documents.num_rows
    if covered.ranges and (stop := covered.ranges[-1][1]) > count:
        add([f"{file.path}: has {count:,} records, the dataset covers {stop:,}; tag again with --overwrite"])
    return count
