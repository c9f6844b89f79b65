"""Where files are: on a disk, as a `Path`, or in an object store, as a `StorePath` with the same few methods.

An address holds no secret and no option, so it may stand in messages, manifests and rows. Credentials and endpoints
come from where the AWS and Google tools look for them (`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL_S3`, a role, a login), on
each machine.
"""

import contextlib
import datetime
import errno
import functools
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from io import BufferedReader
from pathlib import Path, PurePosixPath

import pyarrow as pa
from pyarrow import fs

from pipelines.config import ConfigError

SCHEMES = ("s3", "gs")
"""Stores where an object is there whole or not at all. On HDFS, which Arrow knows too, a half-written file is seen."""

CONNECT_SECONDS, REQUEST_SECONDS, ATTEMPTS = 5, 60, 4
"""How long an S3 server that does not answer is waited for: Arrow's own limits are minutes."""
GOOGLE_SECONDS = 60
"""How long Google's client tries again."""

READ_AHEAD_BYTES = 4 << 20
"""What one request reads of an object."""

_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_OPTION = re.compile(r"\?\w+=")
_REQUEST_ID = re.compile(r"\s*\(Request ID: [^)]*\)")


@dataclass(frozen=True, order=True)
class StorePath:
    """An object, or a folder of objects, in an object store. Errors are OSErrors with a `strerror` of one line.

    Attributes:
        address: `scheme://bucket/key`, without a slash at the end.
    """

    address: str

    def __str__(self) -> str:
        return self.address

    def __truediv__(self, name: str) -> "StorePath":
        return StorePath(f"{self.address}/{name}")

    @property
    def name(self) -> str:
        """The last part of the key."""
        return self.address.rpartition("/")[2]

    @property
    def stem(self) -> str:
        """The name without its last extension."""
        return PurePosixPath(self.name).stem

    @property
    def suffix(self) -> str:
        """The last extension."""
        return PurePosixPath(self.name).suffix

    @property
    def parent(self) -> "StorePath":
        """The folder that it is in."""
        return StorePath(self.address.rpartition("/")[0])

    def resolve(self) -> "StorePath":
        """Itself: an address means the same everywhere."""
        return self

    def mkdir(self, *, parents: bool = False, exist_ok: bool = False) -> None:
        """Does nothing: a folder is there once an object is in it."""

    def rmdir(self) -> None:
        """Does nothing: a folder is gone once no object is in it."""

    def info(self) -> fs.FileInfo:
        """Type, size and time of the last change."""
        filesystem, name = arrow(self)
        with _plain_errors():
            return filesystem.get_file_info(name)

    def exists(self) -> bool:
        """Whether there is such an object or folder."""
        return bool(self.info().type != fs.FileType.NotFound)

    def iterdir(self) -> Iterator["StorePath"]:
        """What is in the folder, at its first level, by name; nothing where there is no such folder."""
        filesystem, name = arrow(self)
        with _plain_errors():
            found = filesystem.get_file_info(fs.FileSelector(name, allow_not_found=True))
        return iter(sorted(self / one.base_name for one in found))

    def glob(self, pattern: str) -> Iterator["StorePath"]:
        """What is in the folder, at its first level, with a name that matches, by name."""
        return (path for path in self.iterdir() if fnmatchcase(path.name, pattern))

    def rglob(self, pattern: str) -> Iterator["StorePath"]:
        """All objects in the folder, to its depths, with a name that matches, by address."""
        return (path for path, _ in self.walk_files() if fnmatchcase(path.name, pattern))

    def walk_files(self) -> list[tuple["StorePath", fs.FileInfo]]:
        """All objects in the folder, to its depths, by address."""
        filesystem, name = arrow(self)
        with _plain_errors():
            found = filesystem.get_file_info(fs.FileSelector(name, recursive=True, allow_not_found=True))
        files = (one for one in found if one.type == fs.FileType.File)
        return sorted((self / one.path.removeprefix(f"{name}/"), one) for one in files)

    def open(self, mode: str = "rb") -> BufferedReader:
        """Opens the object to be read."""
        if mode != "rb":
            raise ValueError(f"mode {mode!r}: objects are opened to be read, as bytes")
        filesystem, name = arrow(self)
        with _plain_errors():
            return BufferedReader(filesystem.open_input_file(name), READ_AHEAD_BYTES)

    def read_bytes(self) -> bytes:
        """The whole object."""
        with self.open() as file, _plain_errors():
            return file.read()

    def write_bytes(self, data: bytes) -> None:
        """Puts the object, in one upload; it is seen, or takes the place of another, when all of it is there."""
        filesystem, name = arrow(self)
        with _plain_errors():
            stream = filesystem.open_output_stream(name, compression=None)
            stream.write(data)  # all at once: to leave a stream for whatever reason is to complete its object
            stream.close()

    def unlink(self, *, missing_ok: bool = False) -> None:
        """Deletes the object."""
        filesystem, name = arrow(self)
        with contextlib.suppress(*(FileNotFoundError,) if missing_ok else ()), _plain_errors():
            filesystem.delete_file(name)


Location = Path | StorePath


def location(name: str) -> Location:
    """The place that a user's name stands for: an address `s3://bucket/...` or `gs://bucket/...`, or else a local path.

    Raises:
        ConfigError: An address of another kind, or one with credentials or options in it.
    """
    match = _ADDRESS.match(name)
    if not match:
        return Path(name)
    scheme, rest = match[1].lower(), match[2].rstrip("/")
    bucket = rest.partition("/")[0]
    if scheme not in SCHEMES:
        raise ConfigError(f"{scheme}://: no such storage here; give a local path, or an address s3://... or gs://...")
    if "@" in bucket:
        raise ConfigError(
            f"{scheme}://...@{bucket.rpartition('@')[2]}: credentials do not belong into an address, which stands in "
            f"logs and manifests; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or what the store's own tools read"
        )
    if _OPTION.search(rest):
        raise ConfigError(
            f"{scheme}://{rest.partition('?')[0]}: an address takes no options after `?`; set AWS_ENDPOINT_URL_S3 and "
            f"AWS_REGION in the environment"
        )
    if not bucket:
        raise ConfigError(f"{name}: names no bucket; write {scheme}://BUCKET/PREFIX")
    return StorePath(f"{scheme}://{rest}")


def is_address(name: str) -> bool:
    """Whether a name is an address, not a local path."""
    return bool(_ADDRESS.match(name))


def is_within(path: Location, folder: Location) -> bool:
    """Whether a path is a folder, or lies in it; links are followed."""
    return f"{path.resolve()}/".startswith(f"{str(folder.resolve()).rstrip('/')}/")


def arrow(path: Location) -> tuple[fs.FileSystem, str]:
    """What Arrow's own functions take: the filesystem, and the path's name on it.

    Raises:
        OSError: The store cannot be reached.
    """
    if isinstance(path, Path):
        return _local(), str(path)
    scheme, _, name = path.address.partition("://")
    with _plain_errors():
        return _connect(scheme, name.partition("/")[0]), name


@functools.cache
def _local() -> fs.FileSystem:
    return fs.LocalFileSystem()


@functools.cache
def _connect(scheme: str, bucket: str) -> fs.FileSystem:
    if scheme == "gs":
        return fs.GcsFileSystem(retry_time_limit=datetime.timedelta(seconds=GOOGLE_SECONDS))
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    return fs.S3FileSystem(
        endpoint_override=endpoint,
        region=None if endpoint else fs.resolve_s3_region(bucket),
        connect_timeout=CONNECT_SECONDS,
        request_timeout=REQUEST_SECONDS,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=ATTEMPTS),
        allow_delayed_open=True,  # a part is one request
    )


@contextlib.contextmanager
def _plain_errors() -> Iterator[None]:
    """Gives what Arrow raises a `strerror`, as the errors of local files have it."""
    try:
        yield
    except FileNotFoundError:
        raise FileNotFoundError(errno.ENOENT, "no such object in the store") from None
    except (OSError, pa.ArrowException) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise OSError(errno.EIO, " ".join(_REQUEST_ID.sub("", reason).split())) from None
