"""Parquet parts with one row a document, its text and its chunks in it; the part's note in the footer."""

from collections.abc import Iterable, Iterator

import pyarrow as pa

from pipelines.outputs.chunk_rows import document_rows as to_rows
from pipelines.outputs.parquet import SUFFIX, files_of, note_files, part_files, read_note, read_tables, write_tables
from pipelines.outputs.part_note import PartNote
from pipelines.schema import DOCUMENT_ROW
from pipelines.storage import Location

__all__ = ["SCHEMA", "files_of", "note_files", "part_files", "read_note", "read_rows", "to_rows", "write_part"]

SCHEMA = DOCUMENT_ROW


def write_part(folder: Location, name: str, tables: Iterable[pa.Table], note: PartNote) -> None:
    """Commits rows (DOCUMENT_ROW) as the part `name` of `folder`; each of `tables` is a row group."""
    write_tables(folder / f"{name}{SUFFIX}", tables, SCHEMA, note)


def read_rows(folder: Location, name: str) -> Iterator[pa.Table]:
    """The rows of the part `name`, in order, some at a time.

    Raises:
        OutputError: The file is damaged, or gone.
    """
    return read_tables(folder / f"{name}{SUFFIX}", SCHEMA)
