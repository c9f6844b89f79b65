"""BioC documents, whichever way they are written: passages with offsets become a text in which the offsets hold."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from pipelines.corpora.annotations import Annotation, entity_metadata, label_metadata
from pipelines.corpora.records import ReaderOptions, Record

MAX_FILL = 100_000
"""Characters that a text is filled up with, so that offsets hold. A passage at 2,000,000,000 is not worth 2 GB."""


class Piece(NamedTuple):
    """A stretch of text: a passage's, or a sentence's.

    Attributes:
        offset: where it starts in the document, in code points; None where the file does not say.
        text: exactly as in the file.
    """

    offset: int | None
    text: str


class Passage(NamedTuple):
    """A passage. Its annotations' offsets count from the start of the document.

    Attributes:
        infons: what the file says about it.
        pieces: its text, or that of its sentences.
        annotations: those of its sentences too.
    """

    infons: dict[str, object]
    pieces: Sequence[Piece]
    annotations: Sequence[Annotation]


class BiocDocument(NamedTuple):
    """A document; its own annotations are those that stand in no passage."""

    document_id: object
    infons: dict[str, object]
    passages: Sequence[Passage]
    annotations: Sequence[Annotation]


def entity_of(infons: dict[str, object]) -> str:
    """The name of an annotation's entity."""
    return str(infons.get("type") or "")


def bioc_record(document: BiocDocument, options: ReaderOptions, where: str) -> Record:
    r"""Lays the document out as one text.

    If the offsets ascend and nothing overlaps, what is between two pieces is filled with a "\n" and spaces, so that an
    offset in the file is one in the text. If not, the pieces are joined with "\n", annotations are moved with the
    piece in which they stand, and the metadata has `offsets` = "moved".

    Metadata: the document's infons; `passage_infons`, a JSON list with an object a passage, if there are any;
    `section_labels`, for each line the infon `section_type` or `type` of its passage; and what `entity_metadata` gives.
    """
    pieces = [piece for passage in document.passages for piece in passage.pieces if piece.text]
    starts = _starts_as_given(pieces)
    moved = starts is None
    if starts is None:
        starts = _starts_when_joined(pieces)
    text = _fill(pieces, starts)
    by_passage = [annotation for passage in document.passages for annotation in passage.annotations]
    annotations = [*document.annotations, *by_passage]
    if moved:
        annotations = _move(document, dict(zip(map(id, pieces), starts, strict=True)))
    infons = [passage.infons for passage in document.passages]
    metadata: dict[str, object] = {**document.infons, "passage_infons": infons if any(infons) else None}
    try:
        metadata |= label_metadata(_labels(document, starts)) | entity_metadata(text, annotations)
    except ValueError as error:
        return Record.of(document.document_id, None)._replace(error=f"{where}: {error}")
    if moved:
        metadata["offsets"] = "moved"
    return Record.of(document.document_id, text if pieces else None, metadata, options=options, where=where)


def _starts_as_given(pieces: Sequence[Piece]) -> list[int] | None:
    """Where each piece starts according to the file; None if there cannot be such a text, or it would be all spaces."""
    starts = [piece.offset for piece in pieces if piece.offset is not None]
    if len(starts) < len(pieces) or (starts and starts[0] < 0):
        return None
    ends = [start + len(piece.text) for start, piece in zip(starts, pieces, strict=True)]
    if any(end > start for end, start in zip(ends, starts[1:], strict=False)):
        return None
    fill = (ends[-1] if ends else 0) - sum(len(piece.text) for piece in pieces)
    return starts if fill <= MAX_FILL else None


def _starts_when_joined(pieces: Sequence[Piece]) -> list[int]:
    starts, end = [], 0
    for piece in pieces:
        starts.append(end)
        end += len(piece.text) + 1
    return starts


def _fill(pieces: Sequence[Piece], starts: Sequence[int]) -> str:
    """The text in which each piece starts where it should."""
    parts: list[str] = []
    end = 0
    for start, piece in zip(starts, pieces, strict=True):
        if parts and start > end:
            parts.append("\n")
            end += 1
        parts += [" " * (start - end), piece.text]
        end = start + len(piece.text)
    return "".join(parts)


def _labels(document: BiocDocument, starts: Sequence[int]) -> list[str]:
    """The label of each line of the text; a piece that touches the one before begins no line."""
    labels: list[str] = []
    end = -1
    at = iter(starts)
    for passage in document.passages:
        label = str(passage.infons.get("section_type") or passage.infons.get("type") or "")
        for piece in passage.pieces:
            if piece.text:
                start = next(at)
                labels += [label] * ((start > end) + piece.text.count("\n"))
                end = start + len(piece.text)
    return labels


def _move(document: BiocDocument, starts: dict[int, int]) -> list[Annotation]:
    """The annotations at the places where their pieces have come to stand.

    Args:
        document: whose offsets do not hold.
        starts: where each piece starts in the text, by the piece's `id()`.
    """
    everywhere = [piece for passage in document.passages for piece in passage.pieces]
    groups = [(everywhere, document.annotations)]
    groups += [(list(passage.pieces), passage.annotations) for passage in document.passages]
    moved = []
    for pieces, annotations in groups:
        known = [(piece.offset, piece) for piece in pieces if piece.text and piece.offset is not None]
        known.sort(key=lambda pair: pair[0])
        offsets = [offset for offset, _ in known]
        for annotation in annotations:
            fragments = []
            for start, end in annotation.fragments:
                index = bisect_right(offsets, start) - 1
                if index >= 0 and end <= offsets[index] + len(known[index][1].text):
                    shift = starts[id(known[index][1])] - offsets[index]
                    fragments.append((start + shift, end + shift))
            whole = len(fragments) == len(annotation.fragments)
            moved.append(annotation._replace(fragments=fragments if whole else ()))
    return moved
