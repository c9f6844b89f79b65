"""Which records of an input file are done."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.outputs.counts import withdrawn
from pipelines.outputs.output_error import OutputError
from pipelines.schema import BROKEN_FILE, DELETED, SUPERSEDED

Range = tuple[int, int]
"""Half-open: the ordinals from the first number up to, but not including, the second."""


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """The records of one input file that are done.

    Attributes:
        version: Of the file when it was read (`identify`).
        ranges: Ordinals, ascending, neither overlapping nor touching.
        end: The number of records of the file, once its last one is among them; None before.
        superseded: Those of the ordinals whose records a later one takes the place of; as `ranges`.
        deleted: Those whose records a later file takes back.
        chunks: Found in the records.
        errors: Records that could not be tagged.
        broken: Whether the last record says that the file could not be read to its end.
    """

    version: str
    ranges: tuple[Range, ...]
    end: int | None = None
    superseded: tuple[Range, ...] = ()
    deleted: tuple[Range, ...] = ()
    chunks: int = 0
    errors: int = 0
    broken: bool = False

    @property
    def records(self) -> int:
        """The number of records covered."""
        return length(self.ranges)

    @property
    def withdrawn(self) -> tuple[Range, ...]:
        """The ordinals of the records that are covered and are no documents of the dataset."""
        return _join(sorted(self.superseded + self.deleted))

    @property
    def documents(self) -> int:
        """The number of records covered that are documents of the dataset."""
        return self.records - length(self.withdrawn)

    @property
    def counts(self) -> dict[str, int]:
        """What the manifest says of an input file."""
        return {
            "documents": self.documents,
            "chunks": self.chunks,
            "errors": self.errors,
            "superseded": length(self.superseded),
            "deleted": length(self.deleted),
        }

    @property
    def complete(self) -> bool:
        """Whether every record of the file is covered."""
        return self.end is not None and self.records == self.end


def merge(source: str, parts: Sequence[Coverage]) -> Coverage:
    """What several parts cover of one input file.

    Raises:
        OutputError: Two parts cover the same record, or read different versions of the file.
    """
    versions = {part.version for part in parts}
    if len(versions) > 1:
        raise OutputError(f"{source}: the parts were made from different versions of it; run again with --overwrite")
    pieces = sorted(piece for part in parts for piece in part.ranges)
    for (_, stop), (start, _) in itertools.pairwise(pieces):
        if start < stop:
            raise OutputError(f"{source}: two parts hold record {start + 1}; run again with --overwrite")
    return Coverage(
        version=versions.pop(),
        ranges=_join(pieces),
        end=next((part.end for part in parts if part.end is not None), None),
        superseded=_join(sorted(piece for part in parts for piece in part.superseded)),
        deleted=_join(sorted(piece for part in parts for piece in part.deleted)),
        chunks=sum(part.chunks for part in parts),
        errors=sum(part.errors for part in parts),
        broken=any(part.broken for part in parts),
    )


def coverage_of(records: pa.Table) -> dict[str, Coverage]:
    """What these records (CHUNK) cover, by input file."""
    columns = {
        **{name: records[name].combine_chunks() for name in ("source", "source_version", "ordinal", "last")},
        "withdrawn": withdrawn(records).combine_chunks(),
        "chunks": pc.list_value_length(records["chunks"]).combine_chunks(),
        "error": records["error"].is_valid().combine_chunks(),
        "broken": pc.map_lookup(records["metadata"], BROKEN_FILE, "first").is_valid().combine_chunks(),
    }
    rows = pa.table(columns)
    return {source: _coverage_of_one(of_source(rows, source)) for source in rows["source"].unique().to_pylist()}


def _coverage_of_one(rows: pa.Table) -> Coverage:
    def ordinals(which: pa.ChunkedArray) -> tuple[Range, ...]:
        return to_ranges(rows["ordinal"].filter(which).to_pylist())

    ends = rows["ordinal"].filter(rows["last"]).to_pylist()
    return Coverage(
        version=rows["source_version"][0].as_py(),
        ranges=to_ranges(rows["ordinal"].to_pylist()),
        end=ends[0] + 1 if ends else None,
        superseded=ordinals(pc.equal(rows["withdrawn"], SUPERSEDED)),
        deleted=ordinals(pc.equal(rows["withdrawn"], DELETED)),
        chunks=pc.sum(rows["chunks"]).as_py() or 0,
        errors=pc.sum(rows["error"]).as_py() or 0,
        broken=pc.any(rows["broken"]).as_py(),
    )


def of_source(rows: pa.Table, source: str) -> pa.Table:
    """The rows of one input file."""
    return rows.filter(pc.equal(rows["source"], source))


def length(ranges: Iterable[Range]) -> int:
    """How many ordinals the ranges hold."""
    return sum(stop - start for start, stop in ranges)


def members(ranges: Iterable[Range]) -> list[int]:
    """The ordinals that the ranges hold."""
    return [ordinal for one in ranges for ordinal in range(*one)]


def to_ranges(ordinals: Iterable[int]) -> tuple[Range, ...]:
    """The fewest ranges, ascending, that hold exactly these ordinals."""
    return _join((ordinal, ordinal + 1) for ordinal in sorted(ordinals))


def _join(pieces: Iterable[Range]) -> tuple[Range, ...]:
    """Makes one range of those that touch. `pieces`: ascending, none overlaps the next."""
    ranges: list[Range] = []
    for start, stop in pieces:
        if ranges and ranges[-1][1] == start:
            ranges[-1] = (ranges[-1][0], stop)
        else:
            ranges.append((start, stop))
    return tuple(ranges)
