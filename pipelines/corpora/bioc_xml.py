"""BioC XML: collections of documents with passages and annotations."""

from collections.abc import Iterator

from lxml import etree

from pipelines.corpora.annotations import Annotation
from pipelines.corpora.bioc import BiocDocument, Passage, Piece, bioc_record, entity_of
from pipelines.corpora.records import ReaderOptions, Record
from pipelines.corpora.xml_stream import XmlRecords, read_elements

BIOC = XmlRecords(name="BioC", tags=("document",), roots=("collection",))


def read_bioc_xml(path: str, options: ReaderOptions) -> Iterator[Record]:
    """Reads documents in a single pass; memory does not grow with the file. `bioc_record` says what becomes of one.

    Texts are taken as they are, white space and all, since offsets count it. Relations are passed over.

    Raises:
        InputError: the file cannot be opened, or from some record on is not BioC XML.
    """
    for number, element in enumerate(read_elements(path, BIOC), start=1):
        where = f"document {number}"
        document_id = _text(element, "id").strip()
        try:
            passages = [_passage(passage) for passage in element.iterfind("passage")]
            document = BiocDocument(document_id, _infons(element), passages, _annotations(element))
        except ValueError as error:
            yield Record.of(document_id, None)._replace(error=f"{where}: {error}; correct the document")
        else:
            yield bioc_record(document, options, where)


def _passage(passage: etree._Element) -> Passage:
    sentences = passage.findall("sentence")
    text = _text(passage, "text")
    sources = [passage] if text or not sentences else sentences
    pieces = [Piece(_offset(source), _text(source, "text")) for source in sources]
    annotations = [annotation for holder in (passage, *sentences) for annotation in _annotations(holder)]
    return Passage(_infons(passage), pieces, annotations)


def _offset(source: etree._Element) -> int | None:
    offset = _text(source, "offset").strip()
    return _number(offset, "offset") if offset else None


def _annotations(holder: etree._Element) -> list[Annotation]:
    """Those that stand in the element itself, not in one within it."""
    found = []
    for annotation in holder.iterfind("annotation"):
        fragments = []
        for location in annotation.iterfind("location"):
            start = _number(location.get("offset"), "offset")
            fragments.append((start, start + _number(location.get("length"), "length")))
        text = _text(annotation, "text") if annotation.find("text") is not None else None
        found.append(Annotation(fragments, entity_of(_infons(annotation)), text))
    return found


def _infons(element: etree._Element) -> dict[str, object]:
    return {infon.get("key", ""): "".join(infon.itertext()) for infon in element.iterfind("infon")}


def _text(element: etree._Element, tag: str) -> str:
    child = element.find(tag)
    return "".join(child.itertext()) if child is not None else ""


def _number(value: str | None, name: str) -> int:
    try:
        return int(value or "")
    except ValueError:
        shown = "none" if value is None else repr(value[:20])
        raise ValueError(f"an annotation or passage has the {name} {shown}, which is not a whole number") from None
