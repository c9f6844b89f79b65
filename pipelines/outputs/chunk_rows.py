"""Documents with nested chunks, made the rows that are written."""

from collections.abc import Iterable, Iterator

import pyarrow as pa

from pipelines.nested_lists import flatten, owners
from pipelines.outputs.counts import withdrawn
from pipelines.schema import CHUNK_ROW, DOCUMENT_ROW, ERROR_ROW

ROW_GROUP_BYTES = 16 << 20
"""Of Arrow memory; all of a file's rows that stand in memory at once."""


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


def row_groups(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in tables of about `ROW_GROUP_BYTES`; none, no table."""
    held: list[pa.Table] = []
    size = 0
    for table in tables:
        held.append(table)
        size += table.nbytes
        if size >= ROW_GROUP_BYTES:
            yield pa.concat_tables(held).combine_chunks()
            held, size = [], 0
    if held:
        yield pa.concat_tables(held).combine_chunks()
