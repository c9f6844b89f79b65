"""A committed part written again with less in it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.outputs import folder as output_folder
from pipelines.outputs.chunk_rows import chunk_rows
from pipelines.outputs.coverage import Coverage, length, members
from pipelines.outputs.formats import OUTPUT_FORMATS, OutputFormat
from pipelines.outputs.output_error import OutputError
from pipelines.outputs.part_note import PartNote
from pipelines.schema import CHUNK_ROW
from pipelines.storage import Location


def replace_part(folder: Location, output_format: OutputFormat, name: str, note: PartNote) -> PartNote:
    """Writes a part again with the coverage of `note`, which may leave out input files and withdraw records.

    Its errors are replaced before it and its note with it or after it, so after a kill the same call finishes the work.

    Returns:
        The note that it has now.

    Raises:
        OutputError: The part is damaged, or cannot be written.
    """
    module = OUTPUT_FORMATS[output_format]
    errors = _keep(output_folder.read_errors_of(folder, name), note.coverage)
    tables = [_keep(table, note.coverage) for table in module.read_rows(folder, name)]
    counted = _recounted(note, pa.concat_tables([module.SCHEMA.empty_table(), *tables]), errors)
    try:
        output_folder.write_errors(folder, name, errors)
        module.write_part(folder, name, tables, counted)
    except OSError as error:
        raise OutputError(
            f"{folder}: {name} cannot be written ({error.strerror or error}); the folder needs room for it; then go on "
            f"with --resume"
        ) from None
    return counted


def _keep(rows: pa.Table, coverage: Mapping[str, Coverage]) -> pa.Table:
    """The rows, whatever their schema, of records that are covered and not withdrawn."""
    keep = pc.is_in(rows["source"], pa.array(coverage, pa.string())).to_numpy()
    ordinals = rows["ordinal"].to_numpy()
    for source, one in coverage.items():
        if gone := members(one.withdrawn):
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
        broken_files=sum(one.broken for one in coverage.values()),
        superseded=sum(length(one.superseded) for one in coverage.values()),
        deleted=sum(length(one.deleted) for one in coverage.values()),
    )
    return replace(note, coverage=coverage, counts=counts)
