"""Documents that were committed and are now withdrawn: their rows are taken out of the parts that hold them."""

import itertools
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.outputs import folder as output_folder
from pipelines.outputs.chunk_rows import chunk_rows
from pipelines.outputs.formats import OUTPUT_FORMATS, OutputFormat
from pipelines.outputs.output_error import OutputError
from pipelines.outputs.part_note import Coverage, PartNote, Range, length, to_ranges
from pipelines.schema import CHUNK_ROW, DELETED, SUPERSEDED
from pipelines.storage import Location

Withdrawn = Mapping[str, npt.NDArray[np.int32]]
"""Of one input file: `SUPERSEDED` and `DELETED`, each with the ordinals of those records, ascending."""


def withdraw(folder: Location, output_format: OutputFormat, withdrawn: Mapping[str, Withdrawn]) -> None:
    """Takes the rows and errors of withdrawn documents out of the parts, and notes it in them.

    Each part is replaced under its own name, its errors before it and its note with it or after it. What is new in the
    note is counted in the rows that are left, so after a kill the same call finishes the work, and then finds nothing
    to do.

    Args:
        folder: The output folder; nobody else writes to it.
        output_format: Of its parts.
        withdrawn: By input file.

    Raises:
        OutputError: A part is damaged, cannot be written, or counts a document as withdrawn that is not.
    """
    if not withdrawn:
        return
    for name, note in output_folder.read_notes(folder, output_format).items():
        coverage = {
            source: _mark(one, withdrawn[source], source) if source in withdrawn else one
            for source, one in note.coverage.items()
        }
        if coverage != note.coverage:
            try:
                _replace_part(folder, output_format, name, replace(note, coverage=coverage))
            except OSError as error:
                raise OutputError(
                    f"{folder}: {name} cannot be written ({error.strerror or error}); the folder needs room for it; "
                    f"then go on with --resume"
                ) from None


def _mark(coverage: Coverage, withdrawn: Withdrawn, source: str) -> Coverage:
    """The coverage of a part with the records that are withdrawn noted."""
    marked = replace(
        coverage,
        superseded=_within(coverage.ranges, withdrawn[SUPERSEDED]),
        deleted=_within(coverage.ranges, withdrawn[DELETED]),
    )
    if not set(_members(coverage.withdrawn)) <= set(_members(marked.withdrawn)):
        raise OutputError(f"{source}: a record that was withdrawn has the last word again; run again with --overwrite")
    return marked


def _within(ranges: tuple[Range, ...], ordinals: npt.NDArray[np.int32]) -> tuple[Range, ...]:
    """Those of the ordinals that lie in the ranges."""
    pieces = (ordinals[slice(*np.searchsorted(ordinals, one))].tolist() for one in ranges)
    return to_ranges(itertools.chain.from_iterable(pieces))


def _members(ranges: tuple[Range, ...]) -> list[int]:
    return [ordinal for one in ranges for ordinal in range(*one)]


def _replace_part(folder: Location, output_format: OutputFormat, name: str, note: PartNote) -> None:
    """Writes a part again without what its note's coverage says is withdrawn."""
    module = OUTPUT_FORMATS[output_format]
    errors = _keep(output_folder.read_errors_of(folder, name), note.coverage)
    tables = [_keep(table, note.coverage) for table in module.read_rows(folder, name)]
    counted = _recounted(note, pa.concat_tables([module.SCHEMA.empty_table(), *tables]), errors)
    output_folder.write_errors(folder, name, errors)
    module.write_part(folder, name, tables, counted)


def _keep(rows: pa.Table, coverage: Mapping[str, Coverage]) -> pa.Table:
    """The rows, whatever their schema, of records that are not withdrawn."""
    keep = np.ones(rows.num_rows, bool)
    ordinals = rows["ordinal"].to_numpy()
    for source, one in coverage.items():
        if gone := _members(one.withdrawn):
            keep &= ~(pc.equal(rows["source"], source).to_numpy() & np.isin(ordinals, gone))
    return rows.filter(pa.array(keep))


def _recounted(note: PartNote, rows: pa.Table, errors: pa.Table) -> PartNote:
    """The note with the counts of what is left; what tagging took was taken, and stays: sentences, tokens, windows."""
    chunks = rows if rows.schema.names == CHUNK_ROW.names else chunk_rows(rows)
    chunks_of, errors_of = (Counter(table["source"].to_pylist()) for table in (chunks, errors))
    coverage = {
        source: replace(one, chunks=chunks_of[source], errors=errors_of[source])
        for source, one in note.coverage.items()
    }
    counts = replace(
        note.counts,
        documents=sum(one.documents for one in coverage.values()),
        chunks=dict(sorted(Counter(chunks["entity"].to_pylist()).items())),
        errors=errors.num_rows,
        superseded=sum(length(one.superseded) for one in coverage.values()),
        deleted=sum(length(one.deleted) for one in coverage.values()),
    )
    return replace(note, coverage=coverage, counts=counts)
