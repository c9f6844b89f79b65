"""PubTator: `id|t|title`, `id|a|abstract`, and a line a chunk; a blank line after each document."""

from collections.abc import Iterable, Iterator

import pyarrow as pa

from pipelines.exports.rows import Document, documents, id_in_line, one_line

SUFFIX = ".pubtator"

NO_IDENTIFIER = "-"
"""Stands where PubTator has the concept that a mention means. Left empty, readers take the line for a relation."""


def render(tables: Iterable[pa.Table]) -> Iterator[bytes]:
    """The file of these documents (DOCUMENT_ROW).

    The title is the first line of the text, and the abstract the rest. Tabs and line ends become one space each, so
    offsets are those of the text. Scores, sentences and metadata have no place here.
    """
    for document in documents(tables):
        yield "".join(_lines(document)).encode()


def _lines(document: Document) -> Iterator[str]:
    name = id_in_line(document["document_id"])
    title, _, abstract = document["text"].partition("\n")
    yield f"{name}|t|{one_line(title)}\n"
    yield f"{name}|a|{one_line(abstract)}\n"
    for chunk in document["chunks"]:
        mention, entity = one_line(chunk["text"]), one_line(chunk["entity"])
        yield f"{name}\t{chunk['start']}\t{chunk['end']}\t{mention}\t{entity}\t{NO_IDENTIFIER}\n"
    yield "\n"
