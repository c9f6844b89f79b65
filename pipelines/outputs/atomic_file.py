"""Files that are there whole or not at all."""

import os
from collections.abc import Callable
from pathlib import Path


def commit_file(path: Path, write: Callable[[Path], None]) -> None:
    """Lets `write` fill a temporary file beside `path`, brings it to the disk, and renames it.

    The rename is the commit. The temporary name starts with a dot, so readers of the folder pass it by
    if it is left behind.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def commit_text(path: Path, text: str) -> None:
    """Commits a UTF-8 text file."""
    commit_file(path, lambda temporary: _write_text(temporary, text))


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
