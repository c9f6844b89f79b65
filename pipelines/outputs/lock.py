"""One run at a time writes a folder."""

import contextlib
import datetime
import os
import platform
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from pipelines.outputs.output_error import OutputError

LOCK, HOLDER = "_lock", "_lock_holder"
LOCK_FILES = (LOCK, HOLDER)


@contextlib.contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Holds the lock of a folder. The kernel lets it go when the process ends, however it ends.

    The holder's name is in a file of its own, for people to read: to take the lock empties the lock's file.

    Raises:
        OutputError: Another process holds it, or the folder cannot be written.
    """
    try:
        held = FileLock(folder / LOCK, timeout=0)
        held.acquire()
    except Timeout:
        raise OutputError(
            f"{folder}: another cytotag run ({_holder(folder)}) is writing here; wait for it or choose another folder"
        ) from None
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be written ({error.strerror or error}); check its permissions and the free space, or "
            f"choose another folder"
        ) from None
    try:
        since = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        with contextlib.suppress(OSError):  # a full disk is found by what matters
            (folder / HOLDER).write_text(f"process {os.getpid()} on {platform.node()}, since {since}", encoding="utf-8")
        yield
    finally:
        with contextlib.suppress(OSError):
            (folder / HOLDER).unlink()
        held.release()


def is_locked(folder: Path) -> bool | None:
    """Whether a process holds the lock of a folder; None where that cannot be told, as without write access."""
    if not (folder / LOCK).exists():
        return False
    try:
        with FileLock(folder / LOCK, timeout=0):
            return False
    except Timeout:
        return True
    except OSError:
        return None


def _holder(folder: Path) -> str:
    try:
        return (folder / HOLDER).read_text(encoding="utf-8") or "just begun"
    except OSError:
        return "just begun"
