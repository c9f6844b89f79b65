"""How many records there are to read, where that can be known without reading them."""

from collections.abc import Sequence

import pyarrow.parquet as pq

from pipelines.corpora.input_files import InputFile
from pipelines.storage import Location, arrow, is_address, location

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
    try:
        if file.format == "parquet":
            filesystem, name = arrow(location(file.path))
            return int(pq.read_metadata(name, filesystem=filesystem).num_rows)
        if file.format == "jsonl" and not file.path.lower().endswith(".gz") and not is_address(file.path):
            return _count_lines(location(file.path))
    except (OSError, ValueError):  # one record: the reader's, which says what is wrong
        return 1
    return None


def _count_lines(path: Location) -> int:
    """Lines, the last one with or without its end; blank ones too, which a writer of records rarely leaves."""
    count, end = 0, b"\n"
    with path.open("rb") as content:
        while chunk := content.read(CHUNK_BYTES):
            count += chunk.count(b"\n")
            end = chunk[-1:]
    return count + (end != b"\n")
