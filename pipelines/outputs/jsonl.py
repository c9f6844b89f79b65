"""JSON Lines parts: one object a chunk, the part's note beside it under `_notes/`.

The note is written after the part and is its commit: a part without one does not count, nor does a note without its
part; both go when a run resumes.
"""

import json
from typing import Any

import pyarrow as pa

from pipelines.outputs.atomic_file import commit_text
from pipelines.outputs.output_error import OutputError
from pipelines.outputs.part_note import PART_PATTERN, PartNote
from pipelines.storage import Location

SUFFIX = ".jsonl"
NOTES = "_notes"


def write_part(folder: Location, name: str, rows: pa.Table, note: PartNote) -> None:
    """Commits `rows` (CHUNK_ROW) as the part `name` of `folder`."""
    (folder / NOTES).mkdir(exist_ok=True)
    commit_text(folder / f"{name}{SUFFIX}", to_lines(rows))
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


def read_note(path: Location) -> PartNote:
    """The note of one part.

    Raises:
        OutputError: The file is damaged.
    """
    try:
        return PartNote.from_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise OutputError(f"{path}: damaged ({error}); delete it, and --resume tags its documents again") from None
