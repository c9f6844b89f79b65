"""Parquet parts: one row a chunk, the part's note in the footer."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.outputs.atomic_file import commit_file
from pipelines.outputs.part_note import PartNote

SUFFIX = ".parquet"
NOTE_KEY = b"cytotag"


def write_part(folder: Path, name: str, rows: pa.Table, note: PartNote) -> None:
    """Commits `rows` (CHUNK_ROW) as the part `name` of `folder`."""
    noted = rows.replace_schema_metadata({NOTE_KEY: note.to_json()})
    commit_file(folder / f"{name}{SUFFIX}", lambda path: pq.write_table(noted, path, compression="zstd"))


def note_files(folder: Path) -> list[Path]:
    """A file for each committed part, named as the part, that `read_note` reads."""
    return sorted(folder.glob(f"part-*{SUFFIX}"))


def read_note(path: Path) -> PartNote:
    """The note of one part; only its footer is read."""
    return PartNote.from_json(pq.read_metadata(path).metadata[NOTE_KEY])
