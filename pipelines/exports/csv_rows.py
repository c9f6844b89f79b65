"""CSV as in RFC 4180: a row a chunk, document by document, under a header; lines end in CRLF."""

import csv
import io
from collections.abc import Iterable, Iterator

import pyarrow as pa

from pipelines.outputs.chunk_rows import chunk_rows
from pipelines.schema import CHUNK_ROW

SUFFIX = ".csv"


def render(tables: Iterable[pa.Table]) -> Iterator[bytes]:
    """The file of these documents (DOCUMENT_ROW). Its columns are those of CHUNK_ROW; scores have six decimals."""
    yield _lines([CHUNK_ROW.names])
    for table in tables:
        for batch in chunk_rows(table).to_batches():
            columns = {name: batch[name].to_pylist() for name in CHUNK_ROW.names}
            columns["score"] = [round(score, 6) for score in columns["score"]]
            yield _lines(zip(*columns.values(), strict=True))


def _lines(rows: Iterable[Iterable[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
