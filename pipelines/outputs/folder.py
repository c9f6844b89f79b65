"""The output folder: who may write into it, and what it holds."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Literal

import pyarrow as pa

from pipelines.outputs import manifest
from pipelines.outputs.atomic_file import commit_text
from pipelines.outputs.formats import OUTPUT_FORMATS, OutputFormat
from pipelines.outputs.jsonl import NOTES, from_lines, to_lines
from pipelines.outputs.lock import LOCK_FILES, lock
from pipelines.outputs.manifest import Manifest
from pipelines.outputs.output_error import OutputError
from pipelines.outputs.part_note import PART_PATTERN, PartNote, is_merged
from pipelines.schema import ERROR_ROW
from pipelines.storage import Location, StorePath

ERRORS = "_errors"
INPUT_ERRORS = "inputs"
"""The error file of the inputs that were not read at all."""
UNFINISHED_MANIFEST = f".{manifest.NAME}.*.tmp"

NOTES_AT_ONCE = 16

Mode = Literal["new", "resume", "overwrite"]


def prepare(folder: Location, mode: Mode) -> Manifest | None:
    """Makes the folder ready for a run.

    Returns:
        The manifest of the run to resume, or None where a run begins.

    Raises:
        OutputError: It holds a run and nothing was said of that, or something that is not ours, or cannot be written.
    """
    if not _holds_a_run(folder):
        return None
    held = Manifest.read(folder)
    if mode == "resume":
        return held
    if mode == "overwrite":
        replace(held, state="running").write(folder)  # a kill from here on leaves no run that says it is finished
        clear(folder)
        return None
    raise OutputError(
        f"{folder}: holds a run ({held.state}, begun {held.started}); go on with it with --resume, replace it with "
        f"--overwrite, or choose another folder"
    )


@contextlib.contextmanager
def claim(folder: Location) -> Iterator[None]:
    """Keeps the folder for this run alone; the claim of a run that is killed ends with it. An object store has none.

    Raises:
        OutputError: Another run has it, or it cannot be an output folder.
    """
    _holds_a_run(folder)  # nothing is left in a folder that is not ours
    if isinstance(folder, StorePath):
        yield
        return
    with lock(folder):
        yield


def _holds_a_run(folder: Location) -> bool:
    """Makes the folder, and tells whether a run is in it, or nothing.

    Raises:
        OutputError: It holds something else, or cannot be made or listed.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        begun = set(folder.glob(UNFINISHED_MANIFEST))  # left by a kill in the first moment of a run
        names = sorted(path.name for path in folder.iterdir() if path not in begun and path.name not in LOCK_FILES)
    except FileExistsError:
        raise OutputError(f"{folder}: is a file; choose a folder for the output") from None
    except OSError as error:
        raise OutputError(f"{folder}: cannot be used as the output folder ({error.strerror}); choose another") from None
    if names and manifest.NAME not in names:
        raise OutputError(f"{folder}: holds {names[0]} and no cytotag run; choose an empty or a new folder")
    return bool(names)


def clear(folder: Location) -> None:
    """Deletes what a run wrote, and nothing that is not ours. The manifest stays, to be replaced by the next run's.

    Raises:
        OutputError: A file cannot be deleted.
    """
    _delete([*_written(folder), folder / ERRORS / f"{INPUT_ERRORS}.jsonl"])
    for name in (ERRORS, NOTES):
        with contextlib.suppress(OSError):  # not there, or holding what is not ours
            (folder / name).rmdir()


def read_notes(folder: Location, output_format: OutputFormat) -> dict[str, PartNote]:
    """The note of each committed part, by the part's name."""
    notes = committed(folder, output_format)
    return dict(zip(notes, read_note_files(notes.values(), output_format), strict=True))


def read_note_files(paths: Iterable[Location], output_format: OutputFormat) -> Iterator[PartNote]:
    """The notes in these files, in their order; many at once, for from an object store each takes a round trip.

    Who stops before the last waits for those that are being read, and for no others.
    """
    with ThreadPoolExecutor(NOTES_AT_ONCE) as threads:
        yield from threads.map(OUTPUT_FORMATS[output_format].read_note, paths)


def committed(folder: Location, output_format: OutputFormat) -> dict[str, Location]:
    """The file with the note of each committed part, by the part's name; those that a merged one replaces do not count.

    Raises:
        OutputError: The note of a merged part is damaged.
    """
    module = OUTPUT_FORMATS[output_format]
    notes = {path.stem: path for path in module.note_files(folder)}
    replaced = {old for name in notes if is_merged(name) for old in module.read_note(notes[name]).replaces}
    return {name: path for name, path in notes.items() if name not in replaced}


def discard_uncommitted(folder: Location, output_format: OutputFormat) -> None:
    """Deletes what a killed run, task or `compact` left behind: whatever belongs to no committed part.

    Raises:
        OutputError: A file cannot be deleted.
    """
    names = committed(folder, output_format)
    _delete(path for path in _written(folder) if path.stem not in names)


def delete_part(folder: Location, output_format: OutputFormat, name: str) -> None:
    """Deletes a part, and its errors.

    Raises:
        OutputError: A file cannot be deleted.
    """
    _delete([*OUTPUT_FORMATS[output_format].files_of(folder, name), folder / ERRORS / f"{name}.jsonl"])


def _written(folder: Location) -> list[Location]:
    """All that runs write, temporary files too, but the manifest."""
    patterns = (PART_PATTERN, f".{PART_PATTERN}.tmp", UNFINISHED_MANIFEST)
    found = (path for place in (folder, folder / ERRORS, folder / NOTES) for path in place.glob("*"))
    return [path for path in found if any(fnmatchcase(path.name, pattern) for pattern in patterns)]


def _delete(paths: Iterable[Location]) -> None:
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(f"{path}: cannot be deleted ({error.strerror}); check the permissions") from None


def write_errors(folder: Location, name: str, rows: pa.Table) -> None:
    """Commits the records that a part could not tag (ERROR_ROW) as JSON lines; none, no file."""
    path = folder / ERRORS / f"{name}.jsonl"
    if rows.num_rows:
        path.parent.mkdir(exist_ok=True)
        commit_text(path, to_lines(rows))
    else:
        path.unlink(missing_ok=True)  # of an earlier attempt at the same part


def read_errors_of(folder: Location, name: str) -> pa.Table:
    """The records that the part `name` could not tag (ERROR_ROW).

    Raises:
        OutputError: Their file is damaged.
    """
    path = folder / ERRORS / f"{name}.jsonl"
    try:
        return from_lines(path.read_bytes(), ERROR_ROW)
    except FileNotFoundError:
        return ERROR_ROW.empty_table()
    except (OSError, pa.ArrowException) as error:
        raise OutputError(f"{path}: damaged ({error}); tag again with --overwrite") from None


def write_input_errors(folder: Location, reasons: Mapping[str, str]) -> None:
    """Commits why input files were not read, by path, in the place of what an earlier run said of that.

    Raises:
        OutputError: The folder cannot be written.
    """
    rows = [{"source": path, "ordinal": 0, "document_id": path, "error": reason} for path, reason in reasons.items()]
    try:
        write_errors(folder, INPUT_ERRORS, pa.Table.from_pylist(rows, schema=ERROR_ROW))
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be written ({error.strerror}); check its permissions and the free space"
        ) from None


def read_errors(folder: Location) -> Iterator[str]:
    """The lines of the error files of the inputs and of all committed parts, JSON objects (ERROR_ROW)."""
    for name in (INPUT_ERRORS, *committed(folder, Manifest.read(folder).settings["output_format"])):
        path = folder / ERRORS / f"{name}.jsonl"
        if path.exists():
            with path.open("rb") as lines:
                yield from (line.decode() for line in lines)
