"""Parquet with Spark NLP's annotations: a row a document, with the columns `document`, `sentence` and `ner_chunk`.

Spark NLP's `end` is the last character, not the one behind it, and both ends count UTF-16 code units, as Java does.
"""

import json
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.exports.parquet import parquet_file
from pipelines.exports.rows import ROWS_AT_ONCE

SUFFIX = ".parquet"

ANNOTATION = pa.struct(
    [
        pa.field("annotatorType", pa.string()),
        pa.field("begin", pa.int32(), nullable=False),
        pa.field("end", pa.int32(), nullable=False),
        pa.field("result", pa.string()),
        pa.field("metadata", pa.map_(pa.string(), pa.string())),
        pa.field("embeddings", pa.list_(pa.field("element", pa.float32(), nullable=False))),
    ]
)

ANNOTATOR_TYPES = {"document": "document", "sentence": "document", "ner_chunk": "chunk"}
"""The annotation columns, each with what its `annotatorType` says."""

_COLUMNS = [
    pa.field("document_id", pa.string()),
    pa.field("text", pa.string()),
    *(pa.field(name, pa.list_(pa.field("element", ANNOTATION))) for name in ANNOTATOR_TYPES),
]


def _spark_schema() -> str:
    """The schema as Spark writes it into a footer. Spark NLP tells its columns by the metadata in there."""
    annotation = {
        "type": "struct",
        "fields": [
            _spark_field("annotatorType", "string"),
            _spark_field("begin", "integer", nullable=False),
            _spark_field("end", "integer", nullable=False),
            _spark_field("result", "string"),
            _spark_field(
                "metadata", {"type": "map", "keyType": "string", "valueType": "string", "valueContainsNull": True}
            ),
            _spark_field("embeddings", {"type": "array", "elementType": "float", "containsNull": False}),
        ],
    }
    fields = [_spark_field("document_id", "string"), _spark_field("text", "string")]
    for name, annotator_type in ANNOTATOR_TYPES.items():
        column = _spark_field(name, {"type": "array", "elementType": annotation, "containsNull": True})
        fields.append(column | {"metadata": {"annotatorType": annotator_type}})
    return json.dumps({"type": "struct", "fields": fields})


def _spark_field(name: str, spark_type: object, *, nullable: bool = True) -> dict[str, Any]:
    return {"name": name, "type": spark_type, "nullable": nullable, "metadata": {}}


SCHEMA = pa.schema(_COLUMNS, metadata={"org.apache.spark.sql.parquet.row.metadata": _spark_schema()})


def render(tables: Iterable[pa.Table]) -> Iterator[bytes]:
    """The file of these documents (DOCUMENT_ROW): `SCHEMA`. A document without a text has no annotations."""
    return parquet_file(map(to_spark, tables), SCHEMA)


def to_spark(table: pa.Table) -> pa.Table:
    """DOCUMENT_ROW to `SCHEMA`, row by row."""
    rows = (_row(row) for batch in table.to_batches(max_chunksize=ROWS_AT_ONCE) for row in batch.to_pylist())
    return pa.Table.from_pylist(list(rows), schema=SCHEMA)


def _row(row: dict[str, Any]) -> dict[str, Any]:
    kept = {"document_id": row["document_id"], "text": row["text"]}
    if row["text"] is None:
        return kept | {name: [] for name in ANNOTATOR_TYPES}
    text, unit = row["text"], utf16_units(row["text"])

    def annotation(kind: str, start: int, end: int, metadata: dict[str, str]) -> dict[str, Any]:
        return {
            "annotatorType": kind,
            "begin": unit(start),
            "end": unit(end) - 1,
            "result": text[start:end],
            "metadata": metadata,
            "embeddings": [],
        }

    of_document = dict(row["metadata"])
    return kept | {
        "document": [annotation("document", 0, len(text), of_document | {"sentence": "0"})],
        "sentence": [
            annotation("document", sentence["start"], sentence["end"], of_document | {"sentence": str(number)})
            for number, sentence in enumerate(row["sentences"])
        ],
        "ner_chunk": [
            annotation(
                "chunk",
                chunk["start"],
                chunk["end"],
                {
                    "entity": chunk["entity"],
                    "sentence": str(chunk["sentence_id"]),
                    "chunk": str(chunk["chunk_id"]),
                    "confidence": java_float(chunk["score"]),
                },
            )
            for chunk in row["chunks"]
        ],
    }


def utf16_units(text: str) -> Callable[[int], int]:
    """The function from offsets in code points to offsets in UTF-16 code units, of which some characters have two."""
    if not text or max(text) <= "\uffff":
        return int
    astral = [position for position, character in enumerate(text) if character > "\uffff"]
    return lambda offset: offset + bisect_left(astral, offset)


def java_float(value: float) -> str:
    """A number from 0 to 1 as Java's `Float.toString` has it: the shortest that is read back as the same float32."""
    number = np.float32(value)
    if number == 0 or number >= 1e-3:
        return np.format_float_positional(number, unique=True, trim="0")
    return np.format_float_scientific(number, unique=True, trim="0", exp_digits=1).replace("e", "E")
