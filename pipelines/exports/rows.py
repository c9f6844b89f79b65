"""Documents out of tables, and lines that no value can break."""

import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote

import pyarrow as pa

ROWS_AT_ONCE = 256
"""Documents that stand in memory as Python objects."""

Document = dict[str, Any]
"""A row of DOCUMENT_ROW; `metadata` a list of pairs, `text` never None."""

_SEPARATORS = re.compile("[\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]")
_UNSAFE_IN_NAMES = re.compile(r"[^\w.~-]", re.ASCII)
_UNSAFE_IN_IDS = re.compile(r"[\s\x00-\x1f\x7f-\x9f|%]")


def documents(tables: Iterable[pa.Table]) -> Iterator[Document]:
    """The documents of DOCUMENT_ROW tables, one by one; one without a text has an empty one."""
    for table in tables:
        for batch in table.to_batches(max_chunksize=ROWS_AT_ONCE):
            for row in batch.to_pylist():
                yield row | {"text": row["text"] or ""}


def one_line(text: str) -> str:
    """The text with a space for each tab and line end, whichever a reader may cut at: its offsets stay."""
    return _SEPARATORS.sub(" ", text)


def id_in_line(document_id: str) -> str:
    """An id as it can stand in a line and before a `|`: what cannot is percent-encoded, so that ids stay apart."""
    return _UNSAFE_IN_IDS.sub(_percent, document_id)


def id_in_path(document_id: str) -> str:
    """An id as it can stand in a file name; percent-encoded, so that ids stay apart and can be told from the name."""
    name = _UNSAFE_IN_NAMES.sub(_percent, document_id)
    return f"%2E{name[1:]}" if name.startswith(".") else name


def one_word(entity: str) -> str:
    """An entity's name where no white space may be: an underscore for each."""
    return re.sub(r"\s", "_", entity)


def _percent(match: re.Match[str]) -> str:
    return quote(match[0], safe="")
