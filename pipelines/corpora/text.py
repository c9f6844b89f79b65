"""Plain text: a document a file, or a document a line."""

from collections.abc import Iterator
from pathlib import Path

from pipelines.corpora.byte_stream import open_bytes
from pipelines.corpora.lines import BYTE_ORDER_MARK, describe_decode_error, read_lines
from pipelines.corpora.records import MAX_CHARACTERS, ReaderOptions, Record


def read_text(path: str, options: ReaderOptions) -> Iterator[Record]:
    r"""Reads UTF-8 text. Nothing is changed: newlines stay as they are. Only a leading byte order mark is dropped.

    A document a file is named after the file, without its extension. A document a line has no id of its own; its text
    ends before the "\n" or "\r\n", and an empty line is an empty document.

    Raises:
        InputError: the file cannot be opened, or not be read to its end.
    """
    return _read_document_per_line(path, options) if options.one_document_per_line else _read_document(path, options)


def _read_document(path: str, options: ReaderOptions) -> Iterator[Record]:
    document_id = Path(path).stem
    with open_bytes(path) as file:
        data = file.read(4 * MAX_CHARACTERS + 1)
    if len(data) > 4 * MAX_CHARACTERS:
        reason = f"the file is longer than {4 * MAX_CHARACTERS:,} bytes; split it, or say --one-document-per-line"
        yield Record(document_id, None, {}, reason)
        return
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        yield Record(document_id, None, {}, f"the file {describe_decode_error(error)}")
        return
    yield Record.of(document_id, text.removeprefix(BYTE_ORDER_MARK), options=options, where="the file")


def _read_document_per_line(path: str, options: ReaderOptions) -> Iterator[Record]:
    for line in read_lines(path):
        if line.error:
            yield Record(None, None, {}, line.error)
        else:
            yield Record.of(None, line.text, options=options, where=f"line {line.number}")
