"""A dataset read back as documents, each with its text, its sentences and its chunks."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.corpora.formats import READERS
from pipelines.corpora.identity import identify
from pipelines.corpora.input_files import InputError, InputFile, find_input_files
from pipelines.corpora.records import ReaderOptions, read_tables
from pipelines.nested_lists import nest, structs
from pipelines.outputs.coverage import Coverage, Range
from pipelines.outputs.folder import read_notes
from pipelines.outputs.formats import OUTPUT_FORMATS
from pipelines.outputs.manifest import Manifest
from pipelines.outputs.part_note import merge_coverage
from pipelines.outputs.rows_by_source import RowsBySource
from pipelines.schema import DOCUMENT, DOCUMENT_ROW
from pipelines.stages.document_assembler import DocumentAssembler
from pipelines.stages.sentence_detector import SentenceDetector
from pipelines.storage import Location

_BEYOND = 1 << 62
"""An ordinal that no file has."""


def documents_of(folder: Location) -> Iterator[pa.Table]:
    """The documents of a finished or a half-finished dataset (DOCUMENT_ROW).

    A dataset with a row a document is read as it is. One with a row a chunk has no texts: these are read again from
    the input files, one after another; in memory are no more than the chunks of one file. Records that no part covers
    yet, and those that were withdrawn, are left out.

    Raises:
        OutputError: The folder holds no dataset, or a damaged one.
        InputError: An input file is gone, or is not what it was when it was tagged.
    """
    manifest = Manifest.read(folder)
    output_format = manifest.settings["output_format"]
    notes = read_notes(folder, output_format)
    if OUTPUT_FORMATS[output_format].SCHEMA == DOCUMENT_ROW:
        for name in notes:
            yield from OUTPUT_FORMATS[output_format].read_rows(folder, name)
        return
    rows = RowsBySource(folder, output_format, notes)
    options = ReaderOptions(**manifest.settings["reader"])
    covered = merge_coverage(notes.values())
    for entry in manifest.inputs:
        if (coverage := covered.get(entry["path"])) and coverage.documents:
            chunks, errors = rows.chunks(entry["path"]), rows.errors(entry["path"])
            file = same_file(entry, coverage)
            for documents in read_covered(file, options, coverage):
                yield _nest(SentenceDetector().transform(_set_aside(documents, errors)), chunks)


def count_documents(folder: Location) -> int:
    """How many documents `documents_of` gives, from the notes of the parts alone.

    Raises:
        OutputError: The folder holds no dataset, or a damaged one.
    """
    notes = read_notes(folder, Manifest.read(folder).settings["output_format"])
    return sum(coverage.documents for note in notes.values() for coverage in note.coverage.values())


def same_file(entry: Mapping[str, Any], coverage: Coverage) -> InputFile:
    """The input file that an entry of the manifest stands for, as it was when it was tagged.

    Raises:
        InputError: It is gone, or was changed.
    """
    path = entry["path"]
    try:
        [file] = find_input_files([path], entry["format"])
    except InputError:
        raise InputError(
            path, "is not there any more, and the dataset holds no texts; put the file back to where it was"
        ) from None
    identified = identify([file], [entry])
    for refused in identified.refused:
        raise refused
    [file] = identified.files
    if file.version != coverage.version:
        raise InputError(path, "changed since it was tagged; put the old file back, or tag again with --overwrite")
    return file


def read_covered(file: InputFile, options: ReaderOptions, coverage: Coverage) -> Iterator[pa.Table]:
    """The records of a file that are documents of the dataset (DOCUMENT), as they were before any stage."""
    left_out = (*_gaps(coverage.ranges), *coverage.withdrawn)
    for records in read_tables(file, READERS[file.format](file.path, options), covered=left_out):
        yield DocumentAssembler().transform(records)


def _gaps(ranges: tuple[Range, ...]) -> Iterator[Range]:
    """What lies between and around ranges."""
    stops = (0, *(stop for _, stop in ranges))
    starts = (*(start for start, _ in ranges), _BEYOND)
    return ((stop, start) for stop, start in zip(stops, starts, strict=True) if stop < start)


def _set_aside(documents: pa.Table, errors: pa.Table) -> pa.Table:
    """Documents of one file (DOCUMENT), those that stand in `errors` (ERROR_ROW) with the reason and without a text."""
    reasons = dict(zip(errors["ordinal"].to_pylist(), errors["error"].to_pylist(), strict=True))
    error = pa.array([reasons.get(ordinal) for ordinal in documents["ordinal"].to_pylist()], pa.string())
    text = pc.if_else(error.is_valid(), None, documents["text"])
    columns = dict(zip(documents.column_names, documents.columns, strict=True))
    columns |= {"text": text, "error": pc.coalesce(error, documents["error"])}
    return pa.table(columns, schema=DOCUMENT)


def _nest(documents: pa.Table, chunks: pa.Table) -> pa.Table:
    """Documents of one file (SENTENCE) to DOCUMENT_ROW, with those of the file's chunks that are theirs.

    Args:
        documents: By ordinal.
        chunks: CHUNK_ROW, by ordinal and chunk_id.
    """
    ordinals, of_chunks = documents["ordinal"].to_numpy(), chunks["ordinal"].to_numpy()
    lengths = np.searchsorted(of_chunks, ordinals, "right") - np.searchsorted(of_chunks, ordinals, "left")
    rows = chunks.filter(pc.is_in(chunks["ordinal"], documents["ordinal"])).combine_chunks()
    kind = DOCUMENT_ROW.field("chunks").type
    values = structs(kind.value_type, {field.name: rows[field.name].combine_chunks() for field in kind.value_type})
    columns = dict(zip(documents.column_names, documents.columns, strict=True))
    columns |= {"chunks": nest(lengths, values, kind)}
    return pa.table([columns[name] for name in DOCUMENT_ROW.names], schema=DOCUMENT_ROW)
