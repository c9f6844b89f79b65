"""Tagged documents as the body of an answer."""

import io
import json
import zipfile
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from pipelines.exports.formats import ExportFormat, export_files
from pipelines.schema import DOCUMENT_ROW
from pipelines.serving.options import AnswerFormat

JSON = "application/json"
NDJSON = "application/x-ndjson"

EXPORTS: dict[AnswerFormat, tuple[ExportFormat, str]] = {
    "bioc": ("bioc-json", JSON),
    "bioc-xml": ("bioc-xml", "application/xml"),
    "pubtator": ("pubtator", "text/plain; charset=utf-8"),
    "brat": ("brat", "application/zip"),
}
"""What writes each format but JSON, and its media type."""

DECIMALS = 6
"""Of a score, which is a float32."""


def render(chunks: pa.Table, to: AnswerFormat) -> tuple[bytes, str]:
    """The documents of a CHUNK table in a format, and its media type; brat is a zip of its files."""
    if to == "json":
        return _dumps({"documents": _documents(chunks)}), JSON
    export, media_type = EXPORTS[to]
    files = export_files(export, "cytotag", [chunks.select(DOCUMENT_ROW.names)])
    contents = [(path, b"".join(content)) for path, content in files]
    if to != "brat":
        ((_, content),) = contents
        return content, media_type
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in contents:
            archive.writestr(path.removeprefix("cytotag/"), content)
    return packed.getvalue(), media_type


def render_lines(chunks: pa.Table, numbers: Sequence[int]) -> bytes:
    """The documents of a CHUNK table as JSON lines, each with the number of the line that it answers."""
    return b"".join(
        _dumps({"line": number} | document) + b"\n"
        for number, document in zip(numbers, _documents(chunks), strict=True)
    )


def _documents(chunks: pa.Table) -> list[dict[str, Any]]:
    documents: list[dict[str, Any]] = chunks.select(["document_id", "sentences", "chunks", "error"]).to_pylist()
    for document in documents:
        for chunk in document["chunks"]:
            chunk["score"] = round(chunk["score"], DECIMALS)
    return documents


def _dumps(content: dict[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode()
