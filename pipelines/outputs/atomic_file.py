"""Files that are there whole or not at all."""

import errno
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from pipelines.storage import Location, StorePath

NO_FOLDER_SYNC = (errno.EBADF, errno.EINVAL)
"""What a filesystem answers that cannot bring a folder to the disk; others do it without being asked."""


def commit_file(path: Location, write: Callable[[Path], None]) -> None:
    """Lets `write` fill a temporary file beside `path`, brings it to the disk, and renames it.

    The rename is the commit, and is brought to the disk too, so that no later commit outlives it in a power cut. The
    temporary name starts with a dot, so readers of the folder pass it by if it is left behind. In an object store the
    commit is the end of one upload of what `write` has made.

    Raises:
        OSError: The file cannot be written; `path` is then as it was.
    """
    if isinstance(path, StorePath):
        with tempfile.TemporaryDirectory() as folder:
            whole = Path(folder, path.name)
            write(whole)
            path.write_bytes(whole.read_bytes())
        return
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    if os.name == "posix":
        _sync_folder(path.parent)


def commit_text(path: Location, text: str) -> None:
    """Commits a UTF-8 text file."""
    commit_file(path, lambda temporary: _write_text(temporary, text))


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in NO_FOLDER_SYNC:
            raise
    finally:
        os.close(descriptor)
