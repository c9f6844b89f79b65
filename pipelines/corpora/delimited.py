"""CSV and TSV with a header: a row a record."""

import csv
from collections import Counter
from collections.abc import Iterator

import pyarrow as pa

from pipelines.corpora.input_files import InputError
from pipelines.corpora.lines import BYTE_ORDER_MARK, describe_decode_error, read_line_bytes
from pipelines.corpora.parquet import check_columns
from pipelines.corpora.records import MAX_CHARACTERS, ReaderOptions, Record

MAX_ROW_BYTES = 4 * MAX_CHARACTERS
MAX_DELIMITERS = 1_000_000
"""In a line, so that 64 MB of commas do not become a gigabyte of empty fields."""


def read_csv(path: str, options: ReaderOptions) -> Iterator[Record]:
    r"""Reads rows with "," between fields.

    Text and id are in the columns that `options` name; all others become metadata. A field may be quoted with `"`, and
    has then line ends as they stand, and `""` for a quote. A row that has not as many fields as the header is an error
    that names the line, and so is one whose quotes do not fit: nothing is guessed. Blank lines are no records.

    Raises:
        InputError: the file cannot be opened or has no fitting header, or a quote is never closed.
    """
    return _read(path, options, ",")


def read_tsv(path: str, options: ReaderOptions) -> Iterator[Record]:
    r"""Reads rows with "\t" between fields; all else is as for `read_csv`."""
    return _read(path, options, "\t")


class _Lines:
    """The lines of a file for the csv module, which asks for as many as a row has.

    Attributes:
        error: what is wrong with one of the lines of the row.
    """

    def __init__(self, path: str, delimiter: str) -> None:
        self.error: str | None = None
        self._path = path
        self._delimiter = delimiter
        self._number = 0
        self._first = 1
        self._size = 0

    def begin_row(self) -> str:
        """Forgets the row before; the name of the one that follows."""
        self.error, self._first, self._size = None, self._number + 1, 0
        return f"line {self._first}"

    def __iter__(self) -> Iterator[str]:
        for number, data in read_line_bytes(self._path):
            self._number = number
            self._size += MAX_ROW_BYTES + 1 if data is None else len(data)
            if data is None or self._size > MAX_ROW_BYTES:
                reason = f"the row at line {self._first} does not end within {MAX_ROW_BYTES:,} bytes; close its quotes"
                raise InputError(self._path, reason)
            try:
                text = data.decode()
            except UnicodeDecodeError as error:
                self.error = self.error or f"line {number} {describe_decode_error(error)}"
                text = data.decode(errors="replace")  # for its quotes: the next row begins where it would
            if text.count(self._delimiter) > MAX_DELIMITERS:
                self.error = f"line {number} has more than {MAX_DELIMITERS:,} fields; check what the file is"
                text = "\n"
            yield text.removeprefix(BYTE_ORDER_MARK) if number == 1 else text


def _read(path: str, options: ReaderOptions, delimiter: str) -> Iterator[Record]:
    csv.field_size_limit(MAX_ROW_BYTES)  # of the process; the module has no other
    lines = _Lines(path, delimiter)
    rows = csv.reader(lines, delimiter=delimiter, strict=True)
    header: list[str] = []
    while True:
        where = lines.begin_row()
        row, problem = [], None
        try:
            row = next(rows)
        except StopIteration:
            break
        except csv.Error as error:
            problem = f"{where} is not well-formed ({error}); correct its quotes"
        problem = lines.error or problem
        if not header and problem:
            raise InputError(path, f"the header cannot be read: {problem}")
        if problem:
            yield Record(None, None, {}, problem)
        elif not header:
            header = row
            _check_header(path, header, options)
        elif row:
            yield _record(header, row, options, where)
    if not header:
        raise InputError(path, "the file is empty; write a header with the names of the columns")


def _check_header(path: str, header: list[str], options: ReaderOptions) -> None:
    if header:
        check_columns(path, pa.schema([(name, pa.string()) for name in header]), options)
    if len(set(header)) < len(header):
        name = next(name for name, count in Counter(header).items() if count > 1)
        raise InputError(path, f"more than one column is named `{name[:40]}`; rename the others")


def _record(header: list[str], row: list[str], options: ReaderOptions, where: str) -> Record:
    if len(row) != len(header):
        reason = f"{where} has {len(row):,} fields, the header has {len(header):,}; correct it, or quote its fields"
        return Record(None, None, {}, reason)
    fields = dict(zip(header, row, strict=True))
    document_id, text = fields.pop(options.id_column, None), fields.pop(options.text_column)
    return Record.of(document_id, text, fields, options=options, where=where)
