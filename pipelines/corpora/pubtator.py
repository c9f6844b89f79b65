"""PubTator: a title, an abstract and their annotations, a blank line between documents."""

import re
from collections.abc import Iterator

from pipelines.corpora.annotations import Annotation, entity_metadata
from pipelines.corpora.lines import Line, read_lines
from pipelines.corpora.records import MAX_CHARACTERS, ReaderOptions, Record

_PASSAGE = re.compile(r"([^|\t]+)\|([ta])\|(.*)", re.DOTALL)
_NUMBER = re.compile(r"\d{1,18}", re.ASCII)


def read_pubtator(path: str, options: ReaderOptions) -> Iterator[Record]:
    r"""Reads `id|t|title`, `id|a|abstract` and annotations; the text is the title, "\n" and the abstract.

    A line is an annotation if its second and third columns are numbers: id, start, end, text, entity. What other
    columns it has, and other lines with tabs, relations, are passed over. A title also begins a document where the
    blank line before it is missing. A document with a line that is neither is an error that names the line.

    Raises:
        InputError: the file cannot be opened, or not be read to its end.
    """
    for lines, too_long in _documents(path):
        where = f"the document at line {lines[0].number}"
        if too_long:
            reason = f"{where} is longer than {MAX_CHARACTERS:,} characters; put a blank line between documents"
            yield Record(None, None, {}, reason)
            continue
        try:
            yield _parse_document(lines, options, where)
        except ValueError as error:
            yield Record(_id(lines[0]), None, {}, str(error))


def _documents(path: str) -> Iterator[tuple[list[Line], bool]]:
    """The lines of each document, and whether the rest of them was passed over because there are too many."""
    lines: list[Line] = []
    size = 0
    for line in read_lines(path):
        blank = line.text is not None and not line.text.strip()
        passage = _PASSAGE.match(line.text or "")
        if lines and (blank or (passage and passage[2] == "t")):
            yield lines, size > MAX_CHARACTERS
            lines, size = [], 0
        if not blank:
            size += len(line.text or "") + 1
            if size <= MAX_CHARACTERS or not lines:
                lines.append(line)
    if lines:
        yield lines, size > MAX_CHARACTERS


def _id(line: Line) -> str | None:
    passage = _PASSAGE.match(line.text or "")
    return passage[1] if passage else None


def _parse_document(lines: list[Line], options: ReaderOptions, where: str) -> Record:
    """Makes a record.

    Raises:
        ValueError: a line is not PubTator; the message names it.
    """
    passages: dict[str, str] = {}
    annotations = []
    document_id = _id(lines[0])
    for line in lines:
        if line.text is None:
            raise ValueError(line.error)
        passage = _PASSAGE.fullmatch(line.text)
        own_id = passage[1] if passage else line.text.split("\t", 1)[0]
        if passage and passage[2] not in passages:
            passages[passage[2]] = passage[3]
        elif passage:
            raise ValueError(f"line {line.number} is a second `|{passage[2]}|` of its document; leave one")
        elif "\t" in line.text:
            annotations += _annotation(line)
        else:
            raise ValueError(f"line {line.number} is not PubTator; write `id|t|title`, `id|a|abstract` or tabs")
        if own_id != document_id:
            raise ValueError(f"line {line.number} is of `{own_id[:40]}`, its document of `{document_id}`; correct it")
    if "t" not in passages:
        raise ValueError(f"{where} has no title; write `id|t|` even if it is empty")
    text = passages["t"] + ("\n" + passages["a"] if passages.get("a") else "")
    return Record.of(document_id, text, entity_metadata(text, annotations), options=options, where=where)


def _annotation(line: Line) -> list[Annotation]:
    """What an annotation line says; nothing for a relation."""
    columns = (line.text or "").split("\t")
    numbers = [bool(_NUMBER.fullmatch(column)) for column in columns[1:3]]
    if not any(numbers):
        return []
    if not all(numbers) or len(columns) < 5:
        raise ValueError(f"line {line.number} is not an annotation; write id, start, end, text, entity between tabs")
    return [Annotation([(int(columns[1]), int(columns[2]))], columns[4], columns[3])]
