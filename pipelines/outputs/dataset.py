"""A dataset, read back as chunks whatever its format."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from pipelines.outputs.chunk_rows import chunk_rows
from pipelines.outputs.folder import committed, read_notes
from pipelines.outputs.formats import OUTPUT_FORMATS, OutputFormat
from pipelines.outputs.manifest import Manifest
from pipelines.schema import CHUNK_ROW
from pipelines.storage import Location


def read_chunks(folder: Location, limit: int) -> tuple[list[dict[str, Any]], int]:
    """The first rows (CHUNK_ROW) of an output folder, and how many it has in all.

    Raises:
        OutputError: The folder holds no run, or a part is damaged.
    """
    notes = read_notes(folder, Manifest.read(folder).settings["output_format"])
    rows: list[dict[str, Any]] = []
    for table in chunk_tables(folder):
        rows += table.slice(0, limit - len(rows)).to_pylist()
        if len(rows) == limit:
            break
    return rows, sum(one.chunks for note in notes.values() for one in note.coverage.values())


def chunk_tables(folder: Location) -> Iterator[pa.Table]:
    """The chunks (CHUNK_ROW) of the committed parts of an output folder, part by part, some at a time.

    Raises:
        OutputError: The folder holds no run, or a part is damaged.
    """
    output_format = Manifest.read(folder).settings["output_format"]
    for name in committed(folder, output_format):
        yield from chunks_of_part(folder, output_format, name)


def chunks_of_part(folder: Location, output_format: OutputFormat, name: str) -> Iterator[pa.Table]:
    """The chunks (CHUNK_ROW) of one part, some at a time.

    Raises:
        OutputError: It is damaged, or gone.
    """
    module = OUTPUT_FORMATS[output_format]
    for rows in module.read_rows(folder, name):
        yield rows if module.SCHEMA == CHUNK_ROW else chunk_rows(rows)
