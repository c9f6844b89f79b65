"""JSON Lines parts: one object a chunk, the part's note beside it under `_notes/`.

The note is written after the part and is its commit: a part without one does not count, nor does a note without its
part; both go when a run resumes.
"""

import io
import itertools
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.json

from pipelines.outputs.atomic_file import commit_file, commit_text
from pipelines.outputs.chunk_rows import chunk_rows as to_rows
from pipelines.outputs.output_error import OutputError
from pipelines.outputs.part_note import PART_PATTERN, PartNote
from pipelines.schema import CHUNK_ROW
from pipelines.storage import Location

__all__ = ["SCHEMA", "files_of", "note_files", "part_files", "read_note", "read_rows", "to_rows", "write_part"]

SCHEMA = CHUNK_ROW
SUFFIX = ".jsonl"
NOTES = "_notes"
TO_DO = "delete it, and --resume tags its documents again"
LINES_AT_ONCE = 10_000


def write_part(folder: Location, name: str, tables: Iterable[pa.Table], note: PartNote) -> None:
    """Commits rows (CHUNK_ROW) as the part `name` of `folder`."""

    def write(temporary: Path) -> None:
        with temporary.open("w", encoding="utf-8", newline="\n") as file:
            for table in tables:
                file.write(to_lines(table))

    (folder / NOTES).mkdir(exist_ok=True)
    commit_file(folder / f"{name}{SUFFIX}", write)
    commit_text(folder / NOTES / f"{name}.json", note.to_json())


def to_lines(rows: pa.Table) -> str:
    """A JSON object a row, a line each; text stands as it is, not escaped to ASCII, and numbers have six decimals."""
    return "".join(f"{json.dumps(_rounded(row), ensure_ascii=False)}\n" for row in rows.to_pylist())


def _rounded(row: dict[str, Any]) -> dict[str, Any]:
    return {name: round(value, 6) if isinstance(value, float) else value for name, value in row.items()}


def part_files(folder: Location) -> list[Location]:
    """The committed parts."""
    return [folder / f"{note.stem}{SUFFIX}" for note in note_files(folder)]


def note_files(folder: Location) -> list[Location]:
    """A file for each committed part, named as the part, that `read_note` reads."""
    parts = {path.stem for path in folder.glob(f"{PART_PATTERN}{SUFFIX}")}
    notes: list[Location] = sorted((folder / NOTES).glob(f"{PART_PATTERN}.json"))
    return [note for note in notes if note.stem in parts]


def files_of(folder: Location, name: str) -> list[Location]:
    """The files that the part `name` is made of, the largest first."""
    return [folder / f"{name}{SUFFIX}", folder / NOTES / f"{name}.json"]


def read_note(path: Location) -> PartNote:
    """The note of one part.

    Raises:
        OutputError: The file is damaged.
    """
    try:
        return PartNote.from_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise OutputError(f"{path}: damaged ({error}); {TO_DO}") from None


def read_rows(folder: Location, name: str) -> Iterator[pa.Table]:
    """The rows of the part `name`, in order, some at a time.

    Raises:
        OutputError: The file is damaged, or gone.
    """
    path = folder / f"{name}{SUFFIX}"
    try:
        with path.open("rb") as file:
            while lines := b"".join(itertools.islice(file, LINES_AT_ONCE)):
                yield from_lines(lines, SCHEMA)
    except (OSError, pa.ArrowException) as error:
        raise OutputError(f"{path}: damaged ({error}); {TO_DO}") from None


def from_lines(lines: bytes, schema: pa.Schema) -> pa.Table:
    """The inverse of `to_lines`.

    Raises:
        pyarrow.ArrowException: They are something else.
    """
    options = pyarrow.json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="error")
    read = pyarrow.json.ReadOptions(block_size=len(lines) + 1)  # a line longer than a block is refused
    rows = pyarrow.json.read_json(io.BytesIO(lines), read_options=read, parse_options=options)
    return rows.select(schema.names).cast(schema)
