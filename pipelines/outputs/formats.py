"""The output formats by name: a module each, with `write_part`, `note_files`, `read_note` and `SUFFIX`."""

from typing import Literal

from pipelines.outputs import jsonl, parquet

OutputFormat = Literal["parquet", "jsonl"]

OUTPUT_FORMATS = {"parquet": parquet, "jsonl": jsonl}
