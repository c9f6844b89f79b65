"""What a reader yields, a record of an input file, and the typed tables that records become.

A reader is a function `(path, options) -> Iterator[Record]`. It raises `InputError` where the file, from there on,
cannot be read; everything smaller is a record with an `error`.
"""

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import pyarrow as pa

from pipelines.config import ConfigError
from pipelines.corpora.input_files import InputError, InputFile
from pipelines.schema import BROKEN_FILE, DOCUMENT

RECORD = pa.schema([field.with_nullable(True) if field.name == "document_id" else field for field in DOCUMENT])
"""DOCUMENT, but that a record may have no id of its own yet."""

MAX_CHARACTERS = 16_000_000
"""The longest document, some 6,000 printed pages. What is longer is a corpus, not a document."""


@dataclass(frozen=True, kw_only=True)
class ReaderOptions:
    """How the user's files are laid out. Each format uses those that concern it.

    Attributes:
        text_column: JSONL field or Parquet column that holds the text.
        id_column: the one that names the record. `document_id` may be missing; any other must be there.
        one_document_per_line: plain text only: a document a line, not a document a file.
        other_abstracts: PubMed only: with the abstracts in other languages and for other readers.
    """

    text_column: str = "text"
    id_column: str = "document_id"
    one_document_per_line: bool = False
    other_abstracts: bool = False

    def __post_init__(self) -> None:
        if self.text_column == self.id_column:
            raise ConfigError(f"text and id cannot both be `{self.text_column}`; set --text-column or --id-column")

    @property
    def id_required(self) -> bool:
        """Whether a record without the id column is an error."""
        return self.id_column != "document_id"


_DEFAULT_OPTIONS = ReaderOptions()


class Record(NamedTuple):
    """One record of an input file, as read.

    Attributes:
        document_id: None where the record names none; the DocumentAssembler then makes `<file name>:<ordinal + 1>`.
        text: None where the record has none, or cannot be tagged.
        metadata: what else the record says, all of it as strings.
        error: why the record cannot be tagged; `text` is then None.
    """

    document_id: str | None
    text: str | None
    metadata: dict[str, str]
    error: str | None = None

    @classmethod
    def of(
        cls,
        document_id: object,
        text: object,
        metadata: Mapping[str, object] | None = None,
        *,
        options: ReaderOptions = _DEFAULT_OPTIONS,
        where: str = "",
    ) -> Self:
        """Makes a record of values that came from outside, which may be of any type.

        Args:
            document_id: str or int; None and "" name nothing.
            text: str, or None for a record without text.
            metadata: strings are kept, None is left out, anything else becomes JSON. A surrogate becomes its escape.
            options: for the names that the user gave to id and text.
            where: the record in the user's words, such as "line 7".

        Returns:
            The record; one with `error` set if the id or the text is not what it should be.
        """
        if isinstance(document_id, int) and not isinstance(document_id, bool):
            document_id = str(document_id)
        id_problem = _string_problem(document_id, options.id_column, "a string or an integer")
        problem = id_problem or _string_problem(text, options.text_column, "a string")
        return cls(
            document_id=document_id if isinstance(document_id, str) and document_id and not id_problem else None,
            text=text if isinstance(text, str) and not problem else None,
            metadata={_as_string(k): _as_string(v) for k, v in (metadata or {}).items() if v is not None},
            error=f"{where}: {problem}" if problem and where else problem,
        )


Reader = Callable[[str, ReaderOptions], Iterator[Record]]


def _string_problem(value: object, name: str, wanted: str) -> str | None:
    """What is wrong with a value that should be a string or None."""
    if value is None:
        return None
    if not isinstance(value, str):
        return f"`{name}` is of type {type(value).__name__}; it must be {wanted}"
    if len(value) > MAX_CHARACTERS:
        return f"`{name}` has {len(value):,} characters, {MAX_CHARACTERS:,} are allowed; split it into documents"
    try:
        value.encode()
    except UnicodeEncodeError as error:
        code = ord(value[error.start])
        return f"`{name}` is not valid Unicode: lone surrogate \\u{code:04x} at character {error.start}; correct it"
    return None


def _as_string(value: object) -> str:
    if not isinstance(value, str):
        value = json.dumps(value, ensure_ascii=False, default=str)
    return value.encode("utf-8", "backslashreplace").decode()


def records_to_table(
    records: Sequence[Record], *, source: str, source_version: str, first_ordinal: int, last: bool
) -> pa.Table:
    """Makes a RECORD table of successive records of one file.

    Args:
        records: none has text that is not valid Unicode.
        source: the file's path.
        source_version: see `InputFile.version`.
        first_ordinal: position in the file of the first of `records`, from 0.
        last: whether the last of `records` is the last of the file.
    """
    count = len(records)
    columns = [
        [record.document_id for record in records],
        [source] * count,
        [source_version] * count,
        range(first_ordinal, first_ordinal + count),
        [last and i == count - 1 for i in range(count)],
        [record.text for record in records],
        [list(record.metadata.items()) for record in records],
        [record.error for record in records],
    ]
    arrays = [pa.array(values, field.type) for values, field in zip(columns, RECORD, strict=True)]
    return pa.Table.from_arrays(arrays, schema=RECORD)


def read_tables(
    file: InputFile,
    records: Iterable[Record],
    *,
    rows: int = 10_000,
    characters: int = 4_000_000,
    covered: Iterable[tuple[int, int]] = (),
) -> Iterator[pa.Table]:
    """Turns the records of a file into RECORD tables, in order, holding no more than one table in memory.

    Where the file breaks off, the records before stand, and one more, which is the last, says why there are no others.
    A file without records gives no table.

    Args:
        file: the file that `records` are read from.
        records: what a reader yields for `file.path`.
        rows: the most records in a table.
        characters: a table is closed once its text and metadata have reached this.
        covered: half-open ranges of ordinals to leave out, in any order; they may overlap.
    """
    ranges = deque(sorted(covered))
    batch: list[Record] = []
    size = 0
    for ordinal, (record, last) in enumerate(_with_last(_with_failure(records))):
        while ranges and ranges[0][1] <= ordinal:
            ranges.popleft()
        wanted = not (ranges and ranges[0][0] <= ordinal)
        if wanted:
            batch.append(record)
            size += len(record.text or "") + sum(map(len, record.metadata.values()))
        if batch and (last or not wanted or len(batch) >= rows or size >= characters):
            yield records_to_table(
                batch,
                source=file.path,
                source_version=file.version,
                first_ordinal=ordinal + wanted - len(batch),
                last=last and wanted,
            )
            batch, size = [], 0


def _with_failure(records: Iterable[Record]) -> Iterator[Record]:
    """The records, and one that says why where they break off."""
    try:
        yield from records
    except InputError as error:
        yield Record(None, None, {BROKEN_FILE: "true"}, error.reason)


def _with_last(records: Iterator[Record]) -> Iterator[tuple[Record, bool]]:
    """Each record, and whether it is the last."""
    record = next(records, None)
    while record is not None:
        following = next(records, None)
        yield record, following is None
        record = following
