"""Parquet: flat chunk rows (CHUNK_ROW), or documents with nested chunks (DOCUMENT_ROW)."""

import io
from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.outputs.chunk_rows import chunk_rows
from pipelines.schema import CHUNK_ROW, DOCUMENT_ROW

SUFFIX = ".parquet"

ROW_GROUP_BYTES = 16 << 20
"""In memory, uncompressed. Tables are put together up to this: a folder of texts comes as a table a file."""


def render_chunks(tables: Iterable[pa.Table]) -> Iterator[bytes]:
    """The file of the chunks of these documents (DOCUMENT_ROW): CHUNK_ROW."""
    return parquet_file(map(chunk_rows, tables), CHUNK_ROW)


def render_documents(tables: Iterable[pa.Table]) -> Iterator[bytes]:
    """The file of these documents as they are, those in error with them: DOCUMENT_ROW."""
    return parquet_file(tables, DOCUMENT_ROW)


def parquet_file(tables: Iterable[pa.Table], schema: pa.Schema) -> Iterator[bytes]:
    """The bytes of a Parquet file, as many at once as a row group has."""
    written = io.BytesIO()
    with pq.ParquetWriter(pa.PythonFile(written, mode="w"), schema, compression="zstd") as writer:
        for group in _row_groups(tables):
            writer.write_table(group)
            yield written.getvalue()
            written.seek(0)
            written.truncate()
    yield written.getvalue()


def _row_groups(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    waiting: list[pa.Table] = []
    size = 0
    for table in tables:
        waiting.append(table)
        size += table.nbytes
        if size >= ROW_GROUP_BYTES:
            yield pa.concat_tables(waiting)
            waiting, size = [], 0
    if waiting:
        yield pa.concat_tables(waiting)
