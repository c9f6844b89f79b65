"""Parquet parts with one row a document, its text and its chunks in it; the part's note in the footer."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from pipelines.outputs.chunk_rows import document_rows as to_rows
from pipelines.outputs.parquet import SUFFIX, note_files, part_files, read_note, read_tables, write_part
from pipelines.schema import DOCUMENT_ROW

__all__ = ["SCHEMA", "note_files", "part_files", "read_note", "read_rows", "to_rows", "write_part"]

SCHEMA = DOCUMENT_ROW


def read_rows(folder: Path, name: str) -> Iterator[pa.Table]:
    """As the flat format's."""
    return read_tables(folder / f"{name}{SUFFIX}", SCHEMA)
