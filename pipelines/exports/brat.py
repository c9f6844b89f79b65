"""brat standoff: a text and its annotations, two files a document."""

import hashlib
import re
from collections.abc import Iterable, Iterator

import pyarrow as pa

from pipelines.exports.rows import Document, documents, id_in_path, one_line

LONGEST_NAME = 150
"""Characters of a file's name without its suffix; filesystems take 255 bytes."""

_NOT_IN_TYPES = re.compile(r"[^\w-]")


def render(tables: Iterable[pa.Table]) -> Iterator[tuple[str, bytes]]:
    """The files of these documents (DOCUMENT_ROW), each with its name: `<id>.txt`, then `<id>.ann`.

    A document whose id another had before is `<id>-2`, and so on. A carriage return in the text becomes a space, since
    most readers drop it before a line feed: offsets stay. Scores, sentences and metadata have no place here.
    """
    taken: set[str] = set()
    for document in documents(tables):
        name = _unique_name(document["document_id"], taken)
        yield f"{name}.txt", document["text"].replace("\r", " ").encode()
        yield f"{name}.ann", "".join(_annotations(document)).encode()


def _unique_name(document_id: str, taken: set[str]) -> str:
    """A name that no other document has, on filesystems too that do not tell capitals from small letters."""
    base = id_in_path(document_id)
    if len(base) > LONGEST_NAME:
        base = f"{base[: LONGEST_NAME - 20]}-{hashlib.sha256(document_id.encode()).hexdigest()[:16]}"
    name, number = base, 1
    while name.lower() in taken:
        number += 1
        name = f"{base}-{number}"
    taken.add(name.lower())
    return name


def _annotations(document: Document) -> Iterator[str]:
    for number, chunk in enumerate(document["chunks"], start=1):
        entity = _NOT_IN_TYPES.sub("_", chunk["entity"])
        # brat wants a mention that goes over a line break in pieces, a line each.
        pieces = [match.span() for match in re.finditer("[^\n]+", chunk["text"])]
        spans = ";".join(f"{chunk['start'] + start} {chunk['start'] + end}" for start, end in pieces)
        mention = one_line(" ".join(chunk["text"][start:end] for start, end in pieces))
        yield f"T{number}\t{entity} {spans}\t{mention}\n"
