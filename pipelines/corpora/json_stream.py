"""The documents of a large JSON file, one at a time."""

import re
from collections.abc import Iterator
from typing import Any

import ijson

from pipelines.corpora.byte_stream import open_bytes
from pipelines.corpora.input_files import InputError

MAX_RECORD_BYTES = 32 << 20
"""Of JSON, between the ends of two documents. All of it stands in memory."""
MAX_RECORD_VALUES = 5_000_000
"""Brackets, keys and values between the ends of two documents: 32 MB of brackets would be gigabytes of lists."""
MAX_DEPTH = 100

CHUNK_BYTES = 1 << 16
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def read_objects(path: str, lists: frozenset[str]) -> Iterator[Any]:
    """The documents of a file: each element of the lists that are named so in an outermost object.

    There may be several outermost values, after one another (JSON lines) or in a list. One without such a list is a
    document itself.

    Raises:
        InputError: the file cannot be opened, or from some document on is not JSON.
    """
    builder = _Builder(lists)
    events = ijson.sendable_list()
    parser = ijson.basic_parse_coro(events, multiple_values=True, use_float=True)
    count = since_record = values = 0
    with open_bytes(path) as file:
        more, first = True, True
        while more:
            data = file.read1(CHUNK_BYTES)  # read() would drop what came before the cut of gzip data
            more, failure = bool(data), None
            try:
                if more:
                    parser.send(data.removeprefix(_BYTE_ORDER_MARK) if first else data)
                else:
                    parser.close()
            except (ijson.JSONError, UnicodeDecodeError) as error:
                failure = error
            first = False
            since_record += len(data)
            values += len(events)
            builder.add(events, path)
            events.clear()
            if builder.found:
                count += len(builder.found)
                since_record = values = 0
                yield from builder.found
                builder.found.clear()
            if failure is not None:
                reason = f"after document {count} the JSON is broken ({_message(failure)}); download or copy it again"
                if count == 0:
                    reason = f"not JSON, or broken in its first document ({_message(failure)}); check what the file is"
                raise InputError(path, reason) from failure
            if since_record > MAX_RECORD_BYTES or values > MAX_RECORD_VALUES:
                what = f"{MAX_RECORD_BYTES >> 20:,} MiB or {MAX_RECORD_VALUES:,} values"
                raise InputError(path, f"more than {what} of JSON in one document; check what the file is, or split it")


class _Builder:
    """Makes values of a parser's events; documents go to `found` and are not kept in what surrounds them."""

    def __init__(self, lists: frozenset[str]) -> None:
        self.found: list[Any] = []
        self._lists = lists
        self._open: list[dict[str, Any] | list[Any]] = []
        self._keys: list[str] = []

    def add(self, events: list[tuple[str, Any]], path: str) -> None:
        """Takes the next events."""
        for event, value in events:
            if event == "map_key":
                self._keys[-1] = value
            elif event in ("start_map", "start_array"):
                self._start(event == "start_map")
                if len(self._open) > MAX_DEPTH:
                    raise InputError(path, f"brackets nested more than {MAX_DEPTH} deep; check what the file is")
            elif event in ("end_map", "end_array"):
                self._end()
            else:
                self._put(value)

    def _start(self, is_map: bool) -> None:
        container: dict[str, Any] | list[Any] = {} if is_map else []
        if not is_map and self._at_root():
            container = _Roots()
        elif not is_map and self._in_root_map() and self._keys[-1] in self._lists:
            container = self.found
        self._open.append(container)
        self._keys.append("")

    def _end(self) -> None:
        done = self._open.pop()
        self._keys.pop()
        if not isinstance(done, _Roots):
            self._put(done)

    def _put(self, value: Any) -> None:
        if self._at_root():
            if not (isinstance(value, dict) and any(value.get(name) is self.found for name in self._lists)):
                self.found.append(value)
        elif isinstance(parent := self._open[-1], dict):
            parent[self._keys[-1]] = value
        else:
            parent.append(value)

    def _at_root(self) -> bool:
        return not self._open or isinstance(self._open[-1], _Roots)

    def _in_root_map(self) -> bool:
        return isinstance(self._open[-1], dict) and (len(self._open) == 1 or isinstance(self._open[-2], _Roots))


class _Roots(list[Any]):
    """A list of outermost values; it stays empty."""


def _message(error: Exception) -> str:
    """The first line of what the parser says; more lines show the place, and may be bytes."""
    return re.split(r"\n|\\n", str(error))[0].removeprefix("b'").rstrip(". ")
