"""Documents with nested chunks, made the rows that are written."""

import pyarrow as pa

from pipelines.nested_lists import flatten, owners
from pipelines.outputs.counts import withdrawn
from pipelines.schema import CHUNK_ROW, DOCUMENT_ROW, ERROR_ROW


def chunk_rows(documents: pa.Table) -> pa.Table:
    """CHUNK, or DOCUMENT_ROW, to CHUNK_ROW: a row a chunk, in order; a document without chunks gives none."""
    lengths, chunks = flatten(documents["chunks"])
    row_of = pa.array(owners(lengths))
    columns = {name: documents[name].take(row_of) for name in ("document_id", "source", "ordinal")}
    columns |= {field.name: chunks.field(field.name) for field in chunks.type}
    return pa.table([columns[name] for name in CHUNK_ROW.names], schema=CHUNK_ROW)


def document_rows(documents: pa.Table) -> pa.Table:
    """CHUNK to DOCUMENT_ROW: a row a document, those that were withdrawn left out."""
    return documents.filter(withdrawn(documents).is_null()).select(DOCUMENT_ROW.names).cast(DOCUMENT_ROW)


def error_rows(documents: pa.Table) -> pa.Table:
    """CHUNK to ERROR_ROW: a row for each document that could not be tagged."""
    return documents.filter(documents["error"].is_valid()).select(ERROR_ROW.names).cast(ERROR_ROW)
