"""JSON lines: one JSON object a line, compressed with gzip or not."""

import json
from collections.abc import Iterator

from pipelines.corpora.lines import read_lines
from pipelines.corpora.records import ReaderOptions, Record


def read_jsonl(path: str, options: ReaderOptions) -> Iterator[Record]:
    """Reads text and id from the fields that `options` name; all other fields become metadata.

    The text is exactly the JSON string's; null is a record without text. A line of white space is no record, so the
    error of a record names its line.

    Raises:
        InputError: the file cannot be opened, or not be read to its end.
    """
    for line in read_lines(path):
        where = f"line {line.number}"
        if line.text is None:
            yield Record(None, None, {}, line.error)
        elif line.text.strip():
            try:
                yield _parse_line(line.text, options, where)
            except json.JSONDecodeError as error:
                reason = f"{where} is not JSON: {error.msg} at character {error.colno}; correct the line"
                yield Record(None, None, {}, reason)
            except (ValueError, RecursionError) as error:  # a number of 5,000 digits, or 1,000 nested brackets
                yield Record(None, None, {}, f"{where} holds JSON that cannot be read ({error}); correct the line")


def _parse_line(line: str, options: ReaderOptions, where: str) -> Record:
    fields = json.loads(line)
    if not isinstance(fields, dict):
        return Record(None, None, {}, f'{where} is JSON, but not an object; write {{"{options.text_column}": "..."}}')
    missing = None
    if options.text_column not in fields:
        missing = f"{where} has no field `{options.text_column}`; name the right one with --text-column"
    elif options.id_required and options.id_column not in fields:
        missing = f"{where} has no field `{options.id_column}`; name the right one with --id-column"
    document_id, text = fields.pop(options.id_column, None), fields.pop(options.text_column, None)
    record = Record.of(document_id, text, fields, options=options, where=where)
    return record._replace(text=None, error=missing) if missing and not record.error else record
