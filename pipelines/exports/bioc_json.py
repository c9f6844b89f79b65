"""BioC JSON: a collection a file, a passage a line, offsets in code points from the start of the document."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa

from pipelines.exports.passages import KEY, SOURCE, Passage, annotation_infons, document_infons, passages
from pipelines.exports.rows import documents

SUFFIX = ".json"


def render(tables: Iterable[pa.Table]) -> Iterator[bytes]:
    """The file of these documents (DOCUMENT_ROW), a line each."""
    head = {"source": SOURCE, "date": "", "key": KEY, "version": "1.0", "infons": {}}
    yield f'{json.dumps(head)[:-1]}, "documents": [\n'.encode()
    separator = ""
    for document in documents(tables):
        line = {
            "id": document["document_id"],
            "infons": document_infons(document),
            "passages": [_passage(passage) for passage in passages(document)],
            "annotations": [],
            "relations": [],
        }
        yield f"{separator}{json.dumps(line, ensure_ascii=False)}".encode()
        separator = ",\n"
    yield b"\n]}\n"


def _passage(passage: Passage) -> dict[str, Any]:
    annotations = [
        {
            "id": str(chunk["chunk_id"]),
            "infons": annotation_infons(chunk),
            "text": chunk["text"],
            "locations": [{"offset": chunk["start"], "length": chunk["end"] - chunk["start"]}],
        }
        for chunk in passage.chunks
    ]
    return {
        "offset": passage.offset,
        "infons": passage.infons,
        "text": passage.text,
        "sentences": [],
        "annotations": annotations,
        "relations": [],
    }
