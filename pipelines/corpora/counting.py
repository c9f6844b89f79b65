"""How many records there are to read, where that can be known without reading them."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq

from pipelines.corpora.input_files import InputFile

CHUNK_BYTES = 1 << 20


def count_records(files: Sequence[InputFile]) -> int | None:
    """The number of records of all the files, or None where one of them would have to be parsed to tell."""
    total = 0
    for file in files:
        count = _count(file)
        if count is None:
            return None
        total += count
    return total


def _count(file: InputFile) -> int | None:
    if file.format == "parquet":
        try:
            return int(pq.read_metadata(file.path).num_rows)
        except (OSError, ValueError):  # the reader will say what is wrong with it
            return 1
    if file.format == "jsonl" and not file.path.lower().endswith(".gz"):
        with Path(file.path).open("rb") as content:
            return sum(chunk.count(b"\n") for chunk in iter(lambda: content.read(CHUNK_BYTES), b""))
    return None
