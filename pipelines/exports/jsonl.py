"""JSON lines: an object a document, its chunks under `entities`, as `cytotag evaluate --gold` reads them."""

import json
from collections.abc import Iterable, Iterator

import pyarrow as pa

from pipelines.exports.rows import documents

SUFFIX = ".jsonl"


def render(tables: Iterable[pa.Table]) -> Iterator[bytes]:
    """The file of these documents (DOCUMENT_ROW), a line each; scores have six decimals."""
    for document in documents(tables):
        line = {
            "document_id": document["document_id"],
            "source": document["source"],
            "ordinal": document["ordinal"],
            "text": document["text"],
            "metadata": dict(document["metadata"]),
            "sentences": document["sentences"],
            "entities": [chunk | {"score": round(chunk["score"], 6)} for chunk in document["chunks"]],
        }
        yield f"{json.dumps(line, ensure_ascii=False)}\n".encode()
