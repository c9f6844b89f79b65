"""The files of a corpus in an object store: what an address stands for."""

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase

from pyarrow.fs import FileInfo, FileType

from pipelines.storage import StorePath, location

MAGIC = "*?["
HIDDEN = (".", "_")


def find_stored_files(name: str, is_wanted: Callable[[str], bool]) -> list[tuple[StorePath, FileInfo]]:
    """The objects that an address names: one, all in a folder that are wanted, or those that match a pattern; or none.

    Folders and patterns mean what they mean on a disk (`find_input_files`).

    Args:
        name: `s3://bucket/...`, `gs://bucket/...`; may have `*`, `**`, `?` and `[...]` behind the bucket.
        is_wanted: whether an object of that name, in a folder that was named, is to be read.

    Raises:
        OSError: The store does not answer, or not to us.
        ConfigError: It is no address that can be read.
    """
    place = location(name)
    if not isinstance(place, StorePath):
        raise TypeError(f"{name}: a local path")
    info = place.info()
    if info.type == FileType.File:
        return [(place, info)]
    if any(sign in place.address for sign in MAGIC):
        return _matching(place, is_wanted)
    return [(file, info) for file, info in place.walk_files() if _is_seen(_parts(file, place), is_wanted)]


def _matching(pattern: StorePath, is_wanted: Callable[[str], bool]) -> list[tuple[StorePath, FileInfo]]:
    folder = pattern
    while any(sign in folder.address for sign in MAGIC):
        folder = folder.parent
    wanted = _parts(pattern, folder)
    open_to = () if any(part.startswith("_") for part in wanted) else ("_",)
    found = []
    for file, info in folder.walk_files():
        parts = _parts(file, folder)
        if _match(parts, wanted):
            if not any(part.startswith(open_to) for part in parts) and not file.name.endswith(".md5"):
                found.append((file, info))
            continue
        for depth in range(1, len(parts)):
            if _match(parts[:depth], wanted) and _is_seen(parts[depth:], is_wanted):
                found.append((file, info))
                break
    return found


def _parts(file: StorePath, folder: StorePath) -> list[str]:
    return file.address.removeprefix(f"{folder.address}/").split("/")


def _is_seen(parts: Sequence[str], is_wanted: Callable[[str], bool]) -> bool:
    """Whether a file of a folder is one to read, and in no folder that is passed over."""
    return not any(part.startswith(HIDDEN) for part in parts[:-1]) and is_wanted(parts[-1])


def _match(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return any(_match(parts[start:], pattern[1:]) for start in range(len(parts) + 1))
    if not parts or (parts[0].startswith(".") and not pattern[0].startswith(".")):
        return False
    return fnmatchcase(parts[0], pattern[0]) and _match(parts[1:], pattern[1:])
