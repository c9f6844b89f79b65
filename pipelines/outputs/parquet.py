"""Parquet parts: one row a chunk, the part's note in the footer."""

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.outputs.atomic_file import commit_file
from pipelines.outputs.output_error import OutputError
from pipelines.outputs.part_note import PART_PATTERN, PartNote
from pipelines.storage import Location, arrow

SUFFIX = ".parquet"
NOTE_KEY = b"cytotag"
TO_DO = "move it elsewhere, and --resume tags its documents again"


def write_part(folder: Location, name: str, rows: pa.Table, note: PartNote) -> None:
    """Commits `rows` (CHUNK_ROW) as the part `name` of `folder`."""
    noted = rows.replace_schema_metadata({NOTE_KEY: note.to_json()})
    commit_file(folder / f"{name}{SUFFIX}", lambda path: pq.write_table(noted, path, compression="zstd"))


def part_files(folder: Location) -> list[Location]:
    """The committed parts."""
    return sorted(folder.glob(f"{PART_PATTERN}{SUFFIX}"))


def note_files(folder: Location) -> list[Location]:
    """A file for each committed part, named as the part, that `read_note` reads."""
    return part_files(folder)


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
