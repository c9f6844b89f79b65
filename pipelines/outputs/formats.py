"""The output formats by name: a module each.

Each has the `SCHEMA` of its rows; `to_rows`, which makes them of documents (CHUNK); `write_part` and `read_rows`; and
`part_files`, `note_files` and `read_note`, which say what is committed.
"""

from typing import Literal

from pipelines.outputs import documents, jsonl, parquet

OutputFormat = Literal["parquet", "jsonl", "documents"]

OUTPUT_FORMATS = {"parquet": parquet, "jsonl": jsonl, "documents": documents}
