"""BioC's view of a document: a passage a line, each with the chunks in it."""

import json
from bisect import bisect_right
from collections.abc import Iterator
from typing import Any, NamedTuple

from pipelines.exports.rows import Document

SOURCE = "cytotag"
KEY = "cytotag.key"

_LABELS, _SECTIONS = "section_labels", "sections"


class Passage(NamedTuple):
    """A line of the text.

    Attributes:
        offset: Of its first character, in code points from the start of the document.
        text: Without the line end.
        infons: `section_type`, where the line has a label.
        chunks: Those in it; their offsets are the document's.
    """

    offset: int
    text: str
    infons: dict[str, str]
    chunks: list[dict[str, Any]]


def document_infons(document: Document) -> dict[str, str]:
    """Where the document came from, and its metadata but for the labels that its passages carry."""
    metadata = dict(document["metadata"])
    if _labels(document) is not None:
        del metadata[_LABELS]
    return {"source": document["source"]} | metadata


def annotation_infons(chunk: dict[str, Any]) -> dict[str, str]:
    """What is said of a chunk beside where it is."""
    return {"type": chunk["entity"], "score": f"{chunk['score']:.6f}"}


def passages(document: Document) -> list[Passage]:
    """The lines of the text. Empty ones are left out, but a document has one passage at least.

    Lines stay together where a chunk goes over the break between them.
    """
    text, chunks = document["text"], document["chunks"]
    labels = _labels(document) or _labels_of_sections(document)
    joined = {chunk["start"] + start for chunk in chunks for start in _line_starts(chunk["text"])}
    lines = [(0, labels[0])]
    lines += [
        (start, label) for start, label in zip(_line_starts(text), labels[1:], strict=True) if start not in joined
    ]
    starts = [start for start, _ in lines]
    inside: list[list[dict[str, Any]]] = [[] for _ in lines]
    for chunk in chunks:
        inside[bisect_right(starts, chunk["start"]) - 1].append(chunk)
    ends = [start - 1 for start in starts[1:]] + [len(text)]
    found = [
        Passage(start, text[start:end], {"section_type": label} if label else {}, held)
        for (start, label), end, held in zip(lines, ends, inside, strict=True)
        if start < end
    ]
    return found or [Passage(0, "", {}, [])]


def _line_starts(text: str) -> Iterator[int]:
    """Where each line but the first begins."""
    at = text.find("\n")
    while at >= 0:
        yield at + 1
        at = text.find("\n", at + 1)


def _labels_of_sections(document: Document) -> list[str]:
    """The label of each line, from PubMed's `sections`; "" for a line that is none of them."""
    try:
        sections = json.loads(dict(document["metadata"]).get(_SECTIONS, "[]"))
        by_start = {section["start"]: section["label"] for section in sections}
    except (ValueError, TypeError, KeyError):  # a user's own `sections`
        by_start = {}
    starts = [0, *_line_starts(document["text"])]
    return [label if isinstance(label := by_start.get(start, ""), str) else "" for start in starts]


def _labels(document: Document) -> list[str] | None:
    """The label of each line, if the metadata has them; what a user calls `section_labels` may be something else."""
    try:
        labels = json.loads(dict(document["metadata"]).get(_LABELS, "null"))
    except ValueError:
        return None
    if not isinstance(labels, list) or len(labels) != document["text"].count("\n") + 1:
        return None
    return labels if all(isinstance(label, str) for label in labels) else None
