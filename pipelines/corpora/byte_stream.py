"""A file's bytes, decompressed; whatever breaks on the way says so in the user's words."""

import gzip
import platform
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedIOBase

from pipelines.config import RunStoppedError
from pipelines.corpora.input_files import InputError
from pipelines.storage import location

GZIP_MAGIC = b"\x1f\x8b"


@contextmanager
def open_bytes(path: str) -> Iterator[BufferedIOBase]:
    """Opens a file to be read once, from start to end; one whose name ends in ".gz" is decompressed on the way.

    Raises:
        InputError: also from within the `with` block, where the file turns out to be cut off or damaged.
        RunStoppedError: the machine, or the store, cannot read the file. What is left of it is not taken to be damaged
            and so done, but read when the run goes on.
    """
    compressed = path.lower().endswith(".gz")
    try:
        with location(path).open("rb") as file:
            if not compressed and file.read(2) == GZIP_MAGIC:
                raise InputError(path, 'it is gzip data, but its name does not end in ".gz"; rename it')
            file.seek(0)
            if compressed:
                with gzip.open(file) as stream:
                    yield stream
            else:
                yield file
    except EOFError as error:
        raise InputError(path, "the gzip data is cut off before its end; download or copy the file again") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise InputError(path, f"the gzip data is damaged ({error}); download or copy the file again") from error
    except OSError as error:
        if error.errno is None:  # Arrow's, of what the bytes are
            raise InputError(path, f"the file is damaged ({error}); check it or copy it again") from error
        raise RunStoppedError(
            f"{path}: cannot be read on {platform.node()} ({error.strerror}); every machine needs the input files"
        ) from error
