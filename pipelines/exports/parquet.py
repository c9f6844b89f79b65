"""Parquet: flat chunk rows (CHUNK_ROW), or documents with nested chunks (DOCUMENT_ROW)."""

import io
from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.outputs.chunk_rows import chunk_rows, row_groups
from pipelines.schema import CHUNK_ROW, DOCUMENT_ROW

SUFFIX = ".parquet"


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
        for group in row_groups(tables):
            writer.write_table(group)
            yield written.getvalue()
            written.seek(0)
            written.truncate()
    yield written.getvalue()
