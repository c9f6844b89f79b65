"""Parquet: a row a record."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.corpora.byte_stream import open_bytes
from pipelines.corpora.input_files import InputError
from pipelines.corpora.lines import describe_decode_error
from pipelines.corpora.records import ReaderOptions, Record

_BATCH_ROWS = 256
_BUFFER_BYTES = 1 << 20


def read_parquet(path: str, options: ReaderOptions) -> Iterator[Record]:
    """Reads text and id from the columns that `options` name; all other columns become metadata.

    A null text is a record without text. The file is streamed: a row group need not fit into memory.

    Raises:
        InputError: the file cannot be opened, is not Parquet, has no fitting text or id column, or is damaged.
    """
    try:
        with open_bytes(path) as stream, pq.ParquetFile(stream, buffer_size=_BUFFER_BYTES, pre_buffer=False) as file:
            check_columns(path, file.schema_arrow, options)
            row = 0
            for batch in file.iter_batches(batch_size=_BATCH_ROWS):
                yield from _records(batch, options, row)
                row += batch.num_rows
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise InputError(path, f"not a Parquet file, or a damaged one ({error}); check it or copy it again") from error


def check_columns(path: str, schema: pa.Schema, options: ReaderOptions) -> None:
    """Raises `InputError` where the text or the id column is missing, or of a type that cannot be one."""
    columns = f"the columns are {', '.join(schema.names)}"
    for name, option, required in (
        (options.text_column, "--text-column", True),
        (options.id_column, "--id-column", options.id_required),
    ):
        found = schema.names.count(name)
        if found > 1 or (required and not found):
            problem = f"{found} columns are named `{name}`" if found else f"there is no column `{name}`"
            raise InputError(path, f"{problem}; name the right one with {option} ({columns})")
        kind = schema.field(name).type if found else pa.null()
        fits, wanted = _is_string(kind) or pa.types.is_null(kind), "a string"
        if name == options.id_column:
            fits, wanted = fits or pa.types.is_integer(kind), "a string or an integer"
        if not fits:
            raise InputError(path, f"column `{name}` is of type {kind}, not {wanted}; name the right one with {option}")


def _records(batch: pa.RecordBatch, options: ReaderOptions, first_row: int) -> Iterator[Record]:
    columns = {name: _values(column) for name, column in zip(batch.schema.names, batch.columns, strict=True)}
    texts = columns.pop(options.text_column)
    ids = columns.pop(options.id_column, [None] * batch.num_rows)
    for i in range(batch.num_rows):
        where = f"row {first_row + i + 1}"
        metadata = {name: _readable(values[i]) for name, values in columns.items()}
        try:
            document_id, text = _decoded(ids[i]), _decoded(texts[i])
        except UnicodeDecodeError as error:
            yield Record(None, None, {}, f"{where} {describe_decode_error(error)}")
        else:
            yield Record.of(document_id, text, metadata, options=options, where=where)


def _is_string(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return any(check(kind) for check in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view))


def _values(column: pa.Array) -> list[Any]:
    """Python values; strings as bytes, for nobody has checked yet that they are UTF-8."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if _is_string(column.type):
        column = column.cast(pa.large_binary())
    elif pa.types.is_timestamp(column.type) or pa.types.is_time(column.type):  # Python's have no nanoseconds
        column = column.cast(pa.string())
    values: list[Any] = column.to_pylist()
    return values


def _decoded(value: object) -> object:
    return value.decode() if isinstance(value, bytes) else value


def _readable(value: object) -> object:
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else value
