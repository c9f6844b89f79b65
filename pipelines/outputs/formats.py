"""The output formats by name: a module each, with `write_part`, `part_files`, `note_files` and `read_note`."""

from typing import Literal

from pipelines.outputs import jsonl, parquet

OutputFormat = Literal["parquet", "jsonl"]

OUTPUT_FORMATS = {"parquet": parquet, "jsonl": jsonl}
