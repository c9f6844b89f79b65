"""brat standoff: a text file, and beside it a file with what is annotated in it."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePath

from pipelines.corpora.annotations import Annotation, entity_metadata
from pipelines.corpora.input_files import InputError
from pipelines.corpora.lines import read_lines
from pipelines.corpora.records import MAX_CHARACTERS, ReaderOptions, Record
from pipelines.corpora.text import read_text
from pipelines.storage import location

_ENTITY = re.compile(r"T[^\t]*\t(\S+) (\d{1,18} \d{1,18}(?:;\d{1,18} \d{1,18})*)(?:\t(.*))?", re.ASCII | re.DOTALL)
_LARGEST = 4 * MAX_CHARACTERS


def read_brat(path: str, options: ReaderOptions) -> Iterator[Record]:
    """Reads a `.txt` as a document, as `read_text` does, with the entities of the `.ann` beside it, if there is one.

    An entity is a line `T1<tab>entity start end;start end<tab>text`. Relations, events, attributes and notes are passed
    over. A line that should be an entity and is none makes the document an error that names it.

    Raises:
        InputError: the text file cannot be opened, or not be read to its end.
    """
    annotations_path = path[: len(path) - len(PurePath(path).suffix)] + ".ann"
    for record in read_text(path, replace(options, one_document_per_line=False)):
        if record.text is None:
            yield record
            continue
        try:
            metadata = entity_metadata(record.text, _annotations(annotations_path))
        except ValueError as error:  # InputError too: the text is sound, what is said about it is not
            reason = error.reason if isinstance(error, InputError) else str(error)
            yield record._replace(text=None, error=f"its annotations, {PurePath(annotations_path).name}: {reason}")
        else:
            yield record._replace(metadata=metadata)


def _annotations(path: str) -> Iterator[Annotation]:
    """The entities of an .ann file; where there is none, no entities.

    Raises:
        InputError: the file cannot be read.
        ValueError: a line is not what it should be.
    """
    if not location(path).exists():
        return
    size = 0
    for line in read_lines(path):
        if line.text is None:
            raise ValueError(line.error)
        if not line.text.startswith("T"):
            continue
        size += len(line.text)
        entity = _ENTITY.fullmatch(line.text)
        if not entity:
            raise ValueError(f"line {line.number} is not an entity; write `T1<tab>entity start end<tab>text`")
        if size > _LARGEST:
            raise ValueError(f"more than {_LARGEST:,} characters; check what the file is")
        spans = [span.split(" ") for span in entity[2].split(";")]
        yield Annotation([(int(start), int(end)) for start, end in spans], entity[1], entity[3])
