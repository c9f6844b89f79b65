"""BioC JSON: collections as the `bioc` package and PMC's web service write them, and what PubTator exports."""

from collections.abc import Iterator
from typing import Any

from pipelines.corpora.annotations import Annotation
from pipelines.corpora.bioc import BiocDocument, Passage, Piece, bioc_record, entity_of
from pipelines.corpora.json_stream import read_objects
from pipelines.corpora.records import ReaderOptions, Record

_DOCUMENT_LISTS = frozenset({"documents", "PubTator3"})
_KINDS = {list: "a list", str: "a string", dict: "an object", int: "a whole number"}


def read_bioc_json(path: str, options: ReaderOptions) -> Iterator[Record]:
    """Reads documents in a single pass; memory does not grow with the file. `bioc_record` says what becomes of one.

    A file is a collection, a list of them, {"PubTator3": [documents]}, or documents one after another. Relations are
    passed over. Half of a surrogate pair, which no text has, is read as "?".

    Raises:
        InputError: the file cannot be opened, or from some document on is not JSON.
    """
    for number, value in enumerate(read_objects(path, _DOCUMENT_LISTS), start=1):
        where = f"document {number}"
        document_id = value.get("id") if isinstance(value, dict) else None
        try:
            if not isinstance(value, dict) or "passages" not in value:
                raise ValueError("JSON, but not BioC: not an object with `passages`")
            passages = [_passage(passage) for passage in _get(value, "passages", list)]
            document = BiocDocument(document_id, _get(value, "infons", dict), passages, _annotations(value))
        except ValueError as error:
            yield Record.of(document_id, None)._replace(error=f"{where}: {error}; correct the document")
        else:
            yield bioc_record(document, options, where)


def _passage(passage: object) -> Passage:
    sentences = _get(passage, "sentences", list)
    sources = [passage] if _get(passage, "text", str) or not sentences else sentences
    pieces = [Piece(_get(source, "offset", int), _get(source, "text", str)) for source in sources]
    annotations = [annotation for holder in (passage, *sentences) for annotation in _annotations(holder)]
    return Passage(_get(passage, "infons", dict), pieces, annotations)


def _annotations(holder: object) -> list[Annotation]:
    """Those that stand in the object itself, not in one within it."""
    found = []
    for annotation in _get(holder, "annotations", list):
        fragments = []
        for location in _get(annotation, "locations", list):
            start, length = _get(location, "offset", int), _get(location, "length", int)
            if start is None or length is None:
                raise ValueError("an annotation's location lacks its `offset` or `length`")
            fragments.append((start, start + length))
        text = _get(annotation, "text", str) if annotation.get("text") is not None else None
        found.append(Annotation(fragments, entity_of(_get(annotation, "infons", dict)), text))
    return found


def _get(holder: object, key: str, kind: type) -> Any:
    """The value of a key; where it is missing or null, an empty one, and None for a number.

    Raises:
        ValueError: it is of another kind, or `holder` is no object.
    """
    if not isinstance(holder, dict):
        raise ValueError(f"`{str(holder)[:20]}` stands where an object should")
    value = holder.get(key)
    if value is None:
        return None if kind is int else kind()
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ValueError(f"`{key}` is {_KINDS.get(type(value), type(value).__name__)}, not {_KINDS[kind]}")
    return value
