"""BioC XML: a collection a file, a passage a line, offsets in code points from the start of the document."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa

from pipelines.exports.passages import KEY, SOURCE, Passage, annotation_infons, document_infons, passages
from pipelines.exports.rows import Document, documents

SUFFIX = ".xml"

_NOT_AS_IT_IS = re.compile("[^\t\n\x20-\x25\x27-\x3b=\x3f-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_AS_ENTITY = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"}  # a bare \r would be read as \n
_IN_ATTRIBUTES = re.compile('["\t\n]')  # a bare tab or line feed would be read as a space


def render(tables: Iterable[pa.Table]) -> Iterator[bytes]:
    """The file of these documents (DOCUMENT_ROW).

    A character that XML cannot hold, such as NUL, becomes U+FFFD: one for one, so that offsets stay.
    """
    yield (
        '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE collection SYSTEM "BioC.dtd">\n'
        f"<collection><source>{SOURCE}</source><date></date><key>{KEY}</key>\n"
    ).encode()
    for document in documents(tables):
        yield _document(document).encode()
    yield b"</collection>\n"


def _document(document: Document) -> str:
    inside = "".join(map(_passage, passages(document)))
    infons = _infons(document_infons(document))
    return f"<document><id>{_text(document['document_id'])}</id>{infons}{inside}</document>\n"


def _passage(passage: Passage) -> str:
    return (
        f"<passage>{_infons(passage.infons)}<offset>{passage.offset}</offset><text>{_text(passage.text)}</text>"
        f"{''.join(map(_annotation, passage.chunks))}</passage>"
    )


def _annotation(chunk: dict[str, Any]) -> str:
    start, length = chunk["start"], chunk["end"] - chunk["start"]
    return (
        f'<annotation id="{chunk["chunk_id"]}">{_infons(annotation_infons(chunk))}'
        f'<location offset="{start}" length="{length}"/><text>{_text(chunk["text"])}</text></annotation>'
    )


def _infons(infons: Mapping[str, str]) -> str:
    return "".join(f'<infon key="{_attribute(key)}">{_text(value)}</infon>' for key, value in infons.items())


def _attribute(value: str) -> str:
    return _IN_ATTRIBUTES.sub(_reference, _text(value))


def _text(text: str) -> str:
    return _NOT_AS_IT_IS.sub(lambda match: _AS_ENTITY.get(match[0], "\ufffd"), text)


def _reference(match: re.Match[str]) -> str:
    return f"&#{ord(match[0])};"
