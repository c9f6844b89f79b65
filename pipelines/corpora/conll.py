"""CoNLL columns with IOB tags: a token a line, a blank line behind each sentence."""

import re
from collections.abc import Iterator, Sequence

from pipelines.corpora.annotations import Annotation, entity_metadata
from pipelines.corpora.lines import Line, read_lines
from pipelines.corpora.records import MAX_CHARACTERS, ReaderOptions, Record
from pipelines.tag_schemes import decode_bio

MAX_SENTENCE_CHARACTERS = 1 << 20
"""A sentence without end is a file without blank lines: some 40,000 lines are enough to say so."""
MAX_TAGS = 1000
"""Different ones in a sentence; with more, the last column is no tag."""

_DOCUMENT_START = re.compile(r"-DOCSTART-(?:[ \t].*)?|###MEDLINE:(?P<id>\S*)\s*")
_SPACE = re.compile(r"[ \t]+")


def read_conll(path: str, options: ReaderOptions) -> Iterator[Record]:
    r"""Reads the first column as tokens and the last as tags; the text has the tokens with spaces between.

    `-DOCSTART-` or `###MEDLINE:id` starts a document, with a line for each sentence. A sentence before the first of
    these is a document by itself: the files of JNLPBA, BC5CDR and the like that have none are shuffled or cut out of
    documents of which nothing is known any more, and those who load them expect a row a sentence.

    Stray tags are read as `decode_bio` does by default. A line with one column makes its sentence an error, and so all
    of its document, since its other sentences would stand at other offsets.

    Raises:
        InputError: the file cannot be opened, or not be read to its end.
    """
    document: _Document | None = None
    sentence = _Sentence()
    for line in read_lines(path):
        start = _DOCUMENT_START.fullmatch(line.text or "")
        if start or (line.text is not None and not line.text.strip()):
            yield from _close(sentence, document, options)
            sentence = _Sentence()
        else:
            sentence.add(line)
        if start:
            if document:
                yield document.record(options)
            document = _Document(start["id"], line.number)
    yield from _close(sentence, document, options)
    if document:
        yield document.record(options)


class _Sentence:
    """The tokens since the last blank line."""

    def __init__(self) -> None:
        self.tokens: list[str] = []
        self.tags: list[str] = []
        self.first_line = 0
        self.error: str | None = None
        self._size = 0
        self._distinct: set[str] = set()

    def add(self, line: Line) -> None:
        self.first_line = self.first_line or line.number
        if self.error:
            return
        if line.text is None:
            self.error = line.error
            return
        text = line.text.strip(" \t")
        columns = text.split("\t") if "\t" in text else _SPACE.split(text)
        self._size += len(text) + 1
        self._distinct.add(columns[-1])
        if len(columns) < 2:
            self.error = f"line {line.number} has one column; write a token and its tag, with a tab or space between"
        elif self._size > MAX_SENTENCE_CHARACTERS:
            self.error = (
                f"the sentence at line {self.first_line} is longer than {MAX_SENTENCE_CHARACTERS:,} characters; "
                "put a blank line between sentences"
            )
        elif len(self._distinct) > MAX_TAGS:
            self.error = (
                f"the sentence at line {self.first_line} has more than {MAX_TAGS:,} different tags; "
                "write them in the last column"
            )
        else:
            self.tokens.append(columns[0])
            self.tags.append(columns[-1])


class _Document:
    """The sentences since the start of a document."""

    def __init__(self, document_id: str | None, first_line: int) -> None:
        self._id = document_id
        self._where = f"the document at line {first_line}"
        self._sentences: list[str] = []
        self._annotations: list[Annotation] = []
        self._size = 0
        self._error: str | None = None

    def add(self, sentence: _Sentence) -> None:
        self._error = self._error or sentence.error
        text, spans = _lay_out(sentence.tokens, sentence.tags)
        if self._size + len(text) > MAX_CHARACTERS:
            self._error = f"{self._where} is longer than {MAX_CHARACTERS:,} characters; split it"
        if not self._error:
            shift = self._size
            self._annotations += [Annotation([(s + shift, e + shift)], entity, None) for s, e, entity in spans]
            self._sentences.append(text)
            self._size += len(text) + 1

    def record(self, options: ReaderOptions) -> Record:
        if self._error:
            return Record(self._id or None, None, {}, self._error)
        text = "\n".join(self._sentences)
        metadata = entity_metadata(text, self._annotations)
        return Record.of(self._id, text, metadata, options=options, where=self._where)


def _close(sentence: _Sentence, document: _Document | None, options: ReaderOptions) -> Iterator[Record]:
    """Ends a sentence: it becomes part of its document, or a record by itself."""
    if not sentence.first_line:
        return
    own = document or _Document(None, sentence.first_line)
    own.add(sentence)
    if document is None:
        yield own.record(options)


def _lay_out(tokens: Sequence[str], tags: Sequence[str]) -> tuple[str, list[tuple[int, int, str]]]:
    """The text of a sentence, and its entities as (start, end, entity) in it."""
    starts, end = [], 0
    for token in tokens:
        starts.append(end)
        end += len(token) + 1
    spans = [
        (starts[first], starts[after - 1] + len(tokens[after - 1]), entity) for first, after, entity in decode_bio(tags)
    ]
    return " ".join(tokens), spans
