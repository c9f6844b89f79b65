"""The lines of a UTF-8 file, each with its number."""

from collections.abc import Iterator
from typing import NamedTuple

from pipelines.corpora.byte_stream import open_bytes
from pipelines.corpora.records import MAX_CHARACTERS

BYTE_ORDER_MARK = "\ufeff"
_MAX_BYTES = 4 * MAX_CHARACTERS


class Line(NamedTuple):
    """A line without its line end. Exactly one of `text` and `error` is None.

    Attributes:
        number: from 1, every line counted.
        error: why the line cannot be read; it names the line.
    """

    number: int
    text: str | None
    error: str | None


def read_lines(path: str) -> Iterator[Line]:
    r"""Reads lines as they stand: a line ends at "\n" or "\r\n" and nowhere else; a leading byte order mark is dropped.

    Raises:
        InputError: the file cannot be opened, or breaks off.
    """
    for number, data in read_line_bytes(path):
        if data is None:
            yield Line(number, None, f"line {number} is longer than {_MAX_BYTES:,} bytes; split it")
            continue
        try:
            text = data.removesuffix(b"\n").removesuffix(b"\r").decode()
        except UnicodeDecodeError as error:
            yield Line(number, None, f"line {number} {describe_decode_error(error)}")
            continue
        yield Line(number, text.removeprefix(BYTE_ORDER_MARK) if number == 1 else text, None)


def read_line_bytes(path: str) -> Iterator[tuple[int, bytes | None]]:
    r"""The lines as bytes, each with its number and its line end; None for one that is too long to be held.

    Raises:
        InputError: the file cannot be opened, or breaks off.
    """
    with open_bytes(path) as file:
        number = 0
        while data := file.readline(_MAX_BYTES + 1):
            number += 1
            if len(data) <= _MAX_BYTES:
                yield number, data
                continue
            while not data.endswith(b"\n") and data:
                data = file.readline(_MAX_BYTES)
            yield number, None


def describe_decode_error(error: UnicodeDecodeError) -> str:
    """What is wrong, without the subject; the offset is in bytes, from 0."""
    return (
        f"is not UTF-8: byte 0x{error.object[error.start]:02x} at byte offset {error.start} ({error.reason}); "
        "convert it, for example with `iconv -f WINDOWS-1252 -t UTF-8`"
    )
