"""The output folder of a conversion. What is written goes through `write_file`, and nothing else touches a disk."""

import contextlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pipelines.outputs.output_error import OutputError

NOTE = "_conversion.json"
"""Says what the folder holds, and whether it is all of it. Readers of the formats pass by what begins with `_`."""

_OURS = re.compile(r"\.?chunks-\d{5,}(\..*)?|\._conversion\.json\..*\.tmp")
_SUFFIXES_OF_BRAT = (".txt", ".ann", ".tmp")


def prepare(folder: Path, *, overwrite: bool) -> None:
    """Makes the folder ready: it is there, and empty but for the note of a conversion that is begun.

    Raises:
        OutputError: It is not empty and nothing was said of that, or it holds what is not a conversion, or cannot be
            written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        names = sorted(path.name for path in folder.iterdir())
    except FileExistsError:
        raise OutputError(f"{folder}: is a file; choose a folder for the output") from None
    except OSError as error:
        raise OutputError(f"{folder}: cannot be used as the output folder ({error.strerror}); choose another") from None
    foreign = [name for name in names if name != NOTE and not _OURS.fullmatch(name)]
    if names and (foreign or NOTE not in names):
        raise OutputError(f"{folder}: holds {(foreign or names)[0]} and no conversion; choose an empty or a new folder")
    if names and not overwrite:
        raise OutputError(f"{folder}: holds a conversion; replace it with --overwrite, or choose another folder")
    _write_note(folder, {"state": "running"})
    for name in names:
        if name != NOTE:
            _delete(folder / name)


def finish(folder: Path, note: Mapping[str, Any]) -> None:
    """Brings what was written to the disk, and then says so, with what else is to be said of the folder.

    Raises:
        OutputError: The folder cannot be written.
    """
    if os.name == "posix":
        os.sync()  # once: to wait for each of brat's files takes longer than all else
    _write_note(folder, {"state": "finished", **note})


def _write_note(folder: Path, note: Mapping[str, Any]) -> None:
    write_file(folder, NOTE, [f"{json.dumps(note, indent=2, ensure_ascii=False)}\n".encode()])


def write_file(folder: Path, name: str, content: Iterable[bytes]) -> None:
    """Writes a file under a temporary name, and renames it: it is there whole or not at all.

    Args:
        folder: The output folder.
        name: Path of the file in it.
        content: Piece by piece; only one stands in memory.

    Raises:
        OutputError: The folder cannot be written.
    """
    path = folder / name
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(exist_ok=True)
        with temporary.open("wb") as file:
            file.writelines(content)
        temporary.replace(path)
    except OSError as error:
        raise OutputError(
            f"{path}: cannot be written ({error.strerror or error}); check the permissions and the free space, and "
            f"convert again with --overwrite"
        ) from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _delete(path: Path) -> None:
    """Deletes a file of a conversion, or a folder of brat's with the files of brat's in it."""
    try:
        if path.is_dir():
            for file in path.iterdir():
                if file.suffix in _SUFFIXES_OF_BRAT:
                    file.unlink()
            with contextlib.suppress(OSError):  # it holds what is not ours
                path.rmdir()
        else:
            path.unlink()
    except OSError as error:
        raise OutputError(f"{path}: cannot be deleted ({error.strerror}); check the permissions") from None
