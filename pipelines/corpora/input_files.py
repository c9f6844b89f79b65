"""The files of a corpus: which ones the user named, in which order, and in which format."""

import glob
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from pyarrow.fs import FileInfo

from pipelines.corpora.stored_files import find_stored_files
from pipelines.storage import Location, StorePath, is_address

EXTENSIONS = {
    ".txt": "text",
    ".jsonl": "jsonl",
    ".jsonl.gz": "jsonl",
    ".ndjson": "jsonl",
    ".ndjson.gz": "jsonl",
    ".parquet": "parquet",
    ".nxml": "jats",
    ".nxml.gz": "jats",
    ".xml": "xml",
    ".xml.gz": "xml",
    ".json": "bioc-json",
    ".json.gz": "bioc-json",
    ".pubtator": "pubtator",
    ".pubtator.gz": "pubtator",
    ".conll": "conll",
    ".conll.gz": "conll",
    ".iob": "conll",
    ".iob.gz": "conll",
    ".iob2": "conll",
    ".iob2.gz": "conll",
    ".csv": "csv",
    ".csv.gz": "csv",
    ".tsv": "tsv",
    ".tsv.gz": "tsv",
}
"""What `auto` makes of the end of a file's name; upper and lower case are the same."""

MD5_SUFFIX = ".md5"
"""Ends the name of a file that holds the MD5 of the one beside it, as NLM publishes them; no document is in it."""
NAMED_LIKE = {"pubmed": "xml", "jats": "xml", "bioc-xml": "xml", "brat": "text"}
"""Formats whose files are named as those of another are, too."""

InputFormat = Literal[
    "auto", "text", "jsonl", "parquet", "pubmed", "jats", "bioc-xml", "xml", "bioc-json", "pubtator", "brat", "conll",
    "csv", "tsv",
]  # fmt: skip
"""What a user may say: `AUTO`, or one of `FORMATS`."""

AUTO = "auto"
FORMATS = tuple(dict.fromkeys((*EXTENSIONS.values(), *NAMED_LIKE)))

_NLM_NAME = re.compile(r"(?:pubmed|medline)\d+n\d+\.xml(?:\.gz)?", re.IGNORECASE)
"""NLM's names for the files of the baseline and the daily updates."""


class InputError(ValueError):
    """Input that cannot be read. Its message is one line for the user: the file, what is wrong, what to do.

    Attributes:
        path: the file, folder or pattern.
        reason: the message without the path, for places that name the file already.
    """

    def __init__(self, path: str, reason: str):
        super().__init__(path, reason)  # both, so that it can be pickled
        self.path = path
        self.reason = " ".join(reason.split())  # what a library says may have line ends

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


@dataclass(frozen=True, kw_only=True)
class InputFile:
    """A file to be read.

    Attributes:
        path: as the user named it, or as it follows from the folder or pattern the user named.
        format: one of `FORMATS`.
        size: bytes on disk, compressed where the file is.
        modified: time of the last change, in ns since 1970.
        version: another version of a file is another source of documents. "" until `identify` has set it; of an object
            in a store "<size>-<time of its last change in s>", which no tool that copies can set.
    """

    path: str
    format: str
    size: int
    modified: int = 0
    version: str = ""


def find_input_files(inputs: Sequence[str], input_format: str = AUTO) -> list[InputFile]:
    """Finds the files that `inputs` name: files, folders, and patterns with `*`, `**`, `?` or `[...]`.

    A folder is searched to its depths, links followed, for files whose names end as the wanted format's do (for `auto`:
    any known format); names that start with "." or "_" are passed over. A pattern means what it means to a shell: the
    files and folders that match it, as if each had been named; but names that start with "_" are passed over unless it
    has such a name itself. A file that was named is taken whatever it is called, if the format is given.

    Args:
        inputs: paths and patterns, local or in an object store (`s3://bucket/...`).
        input_format: one of `FORMATS`, or `auto` to tell it from each file's name.

    Returns:
        The files in the order of `inputs`; those of one folder or pattern are sorted by path. A file that is reached
        twice, by links too, comes once, where it was reached first.

    Raises:
        InputError: a path does not exist, a folder or pattern holds nothing to read, or a format cannot be told.
    """
    if input_format not in (AUTO, *FORMATS):
        raise ValueError(f"input_format is {input_format!r}; it must be one of {', '.join((AUTO, *FORMATS))}")
    files: dict[Location, InputFile] = {}
    for name in inputs:
        if is_address(name):
            for place, info in _stored_files(name, input_format):
                files.setdefault(place, _stored_file(str(place), info, input_format))
            continue
        for path in _named_paths(name, input_format):
            files.setdefault(Path(path).resolve(), _input_file(path, input_format))
    if inputs and not files:
        raise InputError(inputs[0], f"nothing but {MD5_SUFFIX} files is named; name the files that they are of")
    return list(files.values())


def absolute(files: Sequence[InputFile]) -> list[InputFile]:
    """The same files, by names that mean the same in a worker and in a later run from another folder."""
    return [
        file if is_address(file.path) else replace(file, path=os.path.abspath(file.path))  # noqa: PTH100  # keeps links
        for file in files
    ]


def format_of(path: str) -> str | None:
    """The format that the file's name tells, or None. For most XML it is "xml": the reader looks into the file."""
    if _NLM_NAME.fullmatch(path.rsplit("/", 1)[-1]):
        return "pubmed"
    return next((name for end, name in EXTENSIONS.items() if path.lower().endswith(end)), None)


def _is_wanted(known: str, input_format: str) -> bool:
    """Whether a file whose name tells the format `known` is one to read where `input_format` is asked for."""
    return input_format in (AUTO, known, NAMED_LIKE.get(known)) or NAMED_LIKE.get(input_format) == known


def _named_paths(name: str, input_format: str) -> Iterator[str]:
    """The files that one input of the user's stands for."""
    path = Path(name)
    if not name:
        raise InputError("''", "an empty name; name a file, a folder or a pattern")
    if path.is_dir():
        found = sorted(_files_in(name, input_format))
        if not found:
            ends = (end for end, known in EXTENSIONS.items() if _is_wanted(known, input_format))
            raise InputError(name, f"the folder holds no file to read; looked for names that end in {', '.join(ends)}")
        yield from found
    elif path.exists():
        if input_format != AUTO or not name.endswith(MD5_SUFFIX):  # a shell's `*` names them too
            yield name
    elif glob.has_magic(name):
        found = []
        for match in glob.glob(name, recursive=True):  # noqa: PTH207  # Path.glob wants folder and pattern apart
            if "_" not in _initials(name) and "_" in _initials(match):
                continue
            if Path(match).is_dir():
                found += _files_in(match, input_format)
            elif not match.endswith(MD5_SUFFIX):
                found.append(match)
        if not found:
            raise InputError(name, "no file matches this pattern; check it")
        yield from sorted(found)
    else:
        raise InputError(name, "no such file or folder; check the path")


def _files_in(folder: str, input_format: str) -> Iterator[str]:
    """The files under `folder` whose names end as the wanted format's do."""
    seen = set()

    def refuse(error: OSError) -> None:
        raise InputError(str(error.filename), f"the folder cannot be read ({error.strerror}); check its permissions")

    for parent, folders, names in os.walk(folder, followlinks=True, onerror=refuse):
        if (real := Path(parent).resolve()) in seen:  # a link back up would go round for ever
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith((".", "_")))
        yield from (str(Path(parent, name)) for name in names if _is_named_for(name, input_format))


def _is_named_for(name: str, input_format: str) -> bool:
    """Whether a file of that name, in a folder that was named, is to be read."""
    known = format_of(name)
    return known is not None and _is_wanted(known, input_format) and not name.startswith((".", "_"))


def _initials(path: str) -> set[str]:
    return {part[0] for part in Path(path).parts}


def _input_file(path: str, input_format: str) -> InputFile:
    known = _format(path, input_format)
    if not Path(path).is_file():
        raise InputError(path, "neither a file nor a folder; name one that can be read twice")
    try:
        path.encode()
    except UnicodeEncodeError:
        raise InputError(ascii(path), "the name is not valid UTF-8; rename the file") from None
    status = Path(path).stat()
    return InputFile(path=path, format=known, size=status.st_size, modified=status.st_mtime_ns)


def _stored_files(name: str, input_format: str) -> list[tuple[StorePath, FileInfo]]:
    """The objects that one address of the user's stands for."""
    try:
        found = find_stored_files(name, lambda file: _is_named_for(file, input_format))
    except OSError as error:
        reason = f"cannot be read ({error.strerror}); check the address, the credentials and AWS_ENDPOINT_URL_S3"
        raise InputError(name, reason) from None
    if not found:
        raise InputError(name, "no such object, no folder or pattern with an object to read; check the address")
    return found


def _stored_file(path: str, info: FileInfo, input_format: str) -> InputFile:
    seconds = (info.mtime_ns or 0) // 10**9  # some servers list milliseconds, and none tells more than seconds of one
    version = f"{info.size}-{seconds}"
    known = _format(path, input_format)
    return InputFile(path=path, format=known, size=info.size, modified=seconds * 10**9, version=version)


def _format(path: str, input_format: str) -> str:
    known = format_of(path) if input_format == AUTO else input_format
    if known is None:
        raise InputError(path, f"its name does not tell its format; say --input-format {', '.join(FORMATS)}")
    return known
