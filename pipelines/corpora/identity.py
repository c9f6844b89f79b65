"""Which version of an input file this is: what its bytes say, not when it was copied here."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipelines.corpora.input_files import MD5_SUFFIX, InputError, InputFile
from pipelines.storage import is_address

HASHED_AT_ONCE = 8
"""Threads. SHA-256 leaves Python's lock, so cores share the work; more of them keep a slow disk busy."""
CHUNK_BYTES = 1 << 20
MD5_LINE = re.compile(r"(?:MD5 ?\((?P<name>.+)\) ?= ?)?(?P<md5>[0-9a-fA-F]{32})(?: [ *](?P<name_behind>.+))?")
"""As NLM writes it, `MD5(pubmed25n0001.xml.gz)= <hex>`, or `md5sum`: `<hex>  pubmed25n0001.xml.gz`."""


@dataclass(frozen=True, kw_only=True)
class Identified:
    """Input files with their versions.

    Attributes:
        files: those that can be read, in the order given, with `version` set.
        refused: why the others cannot: they are not what their `.md5` file says, or cannot be opened.
    """

    files: tuple[InputFile, ...]
    refused: tuple[InputError, ...]


def to_hash(files: Sequence[InputFile], recorded: Sequence[Mapping[str, Any]]) -> list[InputFile]:
    """The files whose version is not known without reading them.

    Args:
        files: as `find_input_files` gives them.
        recorded: those of an earlier run, as its manifest has them.
    """
    known = _known(recorded)
    return [file for file in files if not (file.version or _key(file) in known)]


def identify(files: Sequence[InputFile], recorded: Sequence[Mapping[str, Any]]) -> Identified:
    """Sets the version of each file: "<size>-<SHA-256>" of a local one; an object has its own (`find_input_files`).

    A file with the size and the modification time that an earlier run recorded is taken to be that file; it is not
    opened. The others are read once, and compared with the `.md5` file beside them where there is one.

    Args:
        files: as `find_input_files` gives them.
        recorded: those of an earlier run, as its manifest has them.
    """
    known = _known(recorded)
    unknown = to_hash(files, recorded)
    with ThreadPoolExecutor(HASHED_AT_ONCE) as threads:
        versions = dict(zip((file.path for file in unknown), threads.map(_version_or_error, unknown), strict=True))
    found = [(file, file.version or versions.get(file.path) or known[_key(file)]) for file in files]
    return Identified(
        files=tuple(replace(file, version=version) for file, version in found if isinstance(version, str)),
        refused=tuple(version for _, version in found if isinstance(version, InputError)),
    )


def _known(recorded: Sequence[Mapping[str, Any]]) -> dict[tuple[str, int, int], str]:
    return {
        (one["path"], one["size"], one["modified"]): one["version"]
        for one in recorded
        if one.get("version") and one.get("modified") and not is_address(one["path"])
    }


def _key(file: InputFile) -> tuple[str, int, int]:
    return file.path, file.size, file.modified


def _version_or_error(file: InputFile) -> str | InputError:
    try:
        return _version(file)
    except InputError as error:
        return error
    except OSError as error:
        return InputError(file.path, f"the file cannot be read ({error.strerror}); check it and its permissions")


def _version(file: InputFile) -> str:
    expected = _expected_md5(file)
    sha256, md5, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    with Path(file.path).open("rb", buffering=0) as content:
        while chunk := content.read(CHUNK_BYTES):
            sha256.update(chunk)
            size += len(chunk)
            if expected:
                md5.update(chunk)
    if expected and md5.hexdigest() != expected:
        raise InputError(
            file.path,
            f"its MD5 is {md5.hexdigest()}, and {Path(file.path).name}{MD5_SUFFIX} says {expected}; download it again, "
            f"then --resume",
        )
    return f"{size}-{sha256.hexdigest()}"


def _expected_md5(file: InputFile) -> str | None:
    """What the `.md5` file beside a file says of it; None where there is no such file."""
    name = Path(file.path).name
    try:
        lines = Path(f"{file.path}{MD5_SUFFIX}").read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return None
    for md5, of in _md5s(lines):
        if of is None or Path(of).name == name:
            return md5
    reason = f"{name}{MD5_SUFFIX} beside it holds no MD5 of it; download that again or delete it, then --resume"
    raise InputError(file.path, reason)


def _md5s(lines: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    for line in lines:
        if match := MD5_LINE.fullmatch(line.strip()):
            yield match["md5"].lower(), match["name"] or match["name_behind"]
