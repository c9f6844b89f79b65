"""A dataset, read back as chunks whatever its format."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipelines.outputs.chunk_rows import chunk_rows
from pipelines.outputs.folder import read_notes
from pipelines.outputs.formats import OUTPUT_FORMATS
from pipelines.outputs.manifest import Manifest
from pipelines.schema import CHUNK_ROW


def read_chunks(folder: Path, limit: int) -> tuple[list[dict[str, Any]], int]:
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


def chunk_tables(folder: Path) -> Iterator[pa.Table]:
    """The chunks (CHUNK_ROW) of the committed parts of an output folder, part by part, some at a time.

    Raises:
        OutputError: The folder holds no run, or a part is damaged.
    """
    output_format = Manifest.read(folder).settings["output_format"]
    module = OUTPUT_FORMATS[output_format]
    for name in read_notes(folder, output_format):
        for rows in module.read_rows(folder, name):
            yield rows if module.SCHEMA == CHUNK_ROW else chunk_rows(rows)
