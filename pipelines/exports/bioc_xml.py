"""BioC XML: a collection a file, a passage a line, offsets in code points from the start of the document."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import pyarrow as pa

from pipelines.exports.passages import KEY, SOURCE, Passage, annotation_infons, document_infons, passages
from pipelines.exports.rows import Document, documents

SUFFIX = ".xml"

_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


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
    return "".join(f"<infon key={_attribute(key)}>{_text(value)}</infon>" for key, value in infons.items())


def _attribute(value: str) -> str:
    return quoteattr(_NOT_IN_XML.sub("\ufffd", value))


def _text(text: str) -> str:
    return escape(_NOT_IN_XML.sub("\ufffd", text), {"\r": "&#13;"})  # a bare one would be read as a line feed
