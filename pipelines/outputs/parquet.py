"""Parquet parts: one row a chunk, the part's note in the footer."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.outputs.atomic_file import commit_file
from pipelines.outputs.chunk_rows import chunk_rows as to_rows
from pipelines.outputs.output_error import OutputError
from pipelines.outputs.part_note import PART_PATTERN, PartNote
from pipelines.schema import CHUNK_ROW
from pipelines.storage import Location, arrow

__all__ = ["SCHEMA", "files_of", "note_files", "part_files", "read_note", "read_rows", "to_rows", "write_part"]

SCHEMA = CHUNK_ROW
SUFFIX = ".parquet"
NOTE_KEY = b"cytotag"
TO_DO = "move it elsewhere, and --resume tags its documents again"
ROWS_AT_ONCE = 10_000


def write_part(folder: Location, name: str, tables: Iterable[pa.Table], note: PartNote) -> None:
    """Commits rows (CHUNK_ROW) as the part `name` of `folder`; each of `tables` is a row group."""
    write_tables(folder / f"{name}{SUFFIX}", tables, SCHEMA, note)


def write_tables(path: Location, tables: Iterable[pa.Table], schema: pa.Schema, note: PartNote) -> None:
    """Commits the rows of a part that has this schema."""

    def write(temporary: Path) -> None:
        noted = schema.with_metadata({NOTE_KEY: note.to_json()})
        with pq.ParquetWriter(temporary, noted, compression="zstd") as writer:
            for table in tables:
                writer.write_table(table)

    commit_file(path, write)


def part_files(folder: Location) -> list[Location]:
    """The committed parts."""
    return sorted(folder.glob(f"{PART_PATTERN}{SUFFIX}"))


def note_files(folder: Location) -> list[Location]:
    """A file for each committed part, named as the part, that `read_note` reads."""
    return part_files(folder)


def files_of(folder: Location, name: str) -> list[Location]:
    """The files that the part `name` is made of, the largest first."""
    return [folder / f"{name}{SUFFIX}"]


def read_note(path: Location) -> PartNote:
    """The note of one part; only its footer is read.

    Raises:
        OutputError: The file is damaged, or another program's.
    """
    try:
        filesystem, file = arrow(path)
        return PartNote.from_json((pq.read_metadata(file, filesystem=filesystem).metadata or {})[NOTE_KEY])
    except KeyError:
        raise OutputError(f"{path}: cytotag's note is missing from its footer; {TO_DO}") from None
    except (OSError, ValueError) as error:  # Arrow's own are these, too
        raise OutputError(f"{path}: damaged ({error}); {TO_DO}") from None


def read_rows(folder: Location, name: str) -> Iterator[pa.Table]:
    """The rows of the part `name`, in order, some at a time.

    Raises:
        OutputError: The file is damaged, or gone.
    """
    return read_tables(folder / f"{name}{SUFFIX}", SCHEMA)


def read_tables(path: Location, schema: pa.Schema) -> Iterator[pa.Table]:
    """The rows of a part that has this schema, in order, some at a time.

    Raises:
        OutputError: The file is damaged, or gone, or has another schema.
    """
    try:
        filesystem, name = arrow(path)
        with pq.ParquetFile(name, filesystem=filesystem, pre_buffer=False) as file:
            for batch in file.iter_batches(batch_size=ROWS_AT_ONCE, columns=schema.names):
                yield pa.Table.from_batches([batch]).cast(schema)
    except (OSError, ValueError) as error:  # Arrow's own are these, too
        raise OutputError(f"{path}: damaged ({error}); {TO_DO}") from None
