"""What a part says of itself: which records of which input files it covers, and how much it holds.

The notes of all parts together are the state of a run. To resume is to read them; the progress shown and the counts of
the manifest are their sum. There is no other ledger.
"""

import itertools
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.outputs.output_error import OutputError
from pipelines.schema import BROKEN_FILE, DELETED, SUPERSEDED, WITHDRAWN

PART_PATTERN = f"part-{'[0-9a-f]' * 8}-{'[0-9]' * 6}*"
"""Matches the files of parts, and no `part-*` of other programs, which name theirs differently."""

_MERGED = "-merged"

Range = tuple[int, int]
"""Half-open: the ordinals from the first number up to, but not including, the second."""

_RANGES = ("ranges", "superseded", "deleted")


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
    """

    version: str
    ranges: tuple[Range, ...]
    end: int | None = None
    superseded: tuple[Range, ...] = ()
    deleted: tuple[Range, ...] = ()
    chunks: int = 0
    errors: int = 0

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


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What was tagged, and what it took. A record set aside counts as a document and as an error."""

    documents: int = 0
    sentences: int = 0
    tokens: int = 0
    chunks: Mapping[str, int] = field(default_factory=dict)  # by entity
    errors: int = 0
    broken_files: int = 0  # files that could not be read to their end; each is also one of the errors
    superseded: int = 0  # records that a later one takes the place of; these and the deleted are no documents here
    deleted: int = 0  # records that a later file takes back
    windows: int = 0  # of the model
    pieces: int = 0  # word pieces in them
    padding: int = 0  # pieces computed only to fill up batches
    model_seconds: float = 0.0

    @classmethod
    def total(cls, counts: Iterable["Counts"]) -> Self:
        """The sum of several counts."""
        sums: Counter[str] = Counter()
        chunks: Counter[str] = Counter()
        for one in counts:
            numbers = dict(vars(one))
            chunks.update(numbers.pop("chunks"))
            sums.update(numbers)
        sums["model_seconds"] = round(sums["model_seconds"], 3)
        return cls(**sums, chunks=dict(sorted(chunks.items())))


def part_name(run_id: str, task: int) -> str:
    """The name of the part that a task of a run writes; `PART_PATTERN` matches it. `run_id`: 8 hexadecimal digits."""
    return f"part-{run_id}-{task:06d}"


def merged_part_name(run_id: str, number: int) -> str:
    """The name of a part that is merged of others; it shows in the name, so no other part's note must be asked."""
    return f"{part_name(run_id, number)}{_MERGED}"


def is_merged(name: str) -> bool:
    """Whether a part has such a name."""
    return name.endswith(_MERGED)


@dataclass(frozen=True, kw_only=True)
class PartNote:
    """The note of one part.

    Attributes:
        coverage: By input file.
        counts: Of all of it.
        replaces: The parts that this one was merged of. They no longer count, whether they are deleted yet or not.
    """

    coverage: Mapping[str, Coverage]
    counts: Counts
    replaces: tuple[str, ...] = ()

    @classmethod
    def of(cls, documents: pa.Table) -> Self:
        """The note of a part that holds these documents (CHUNK)."""
        return cls(coverage=_coverage(documents), counts=_counts(documents))

    def to_json(self) -> str:
        """One line of JSON; `from_json` reads it back."""
        coverage = {
            source: {one.name: value for one in fields(noted) if (value := getattr(noted, one.name)) != one.default}
            for source, noted in self.coverage.items()
        }
        note = {"coverage": coverage, "counts": vars(self.counts)}
        return json.dumps(note | ({"replaces": self.replaces} if self.replaces else {}), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Reads what `to_json` wrote.

        Raises:
            ValueError: It is something else.
        """
        try:
            note: dict[str, Any] = json.loads(text)
            coverage = {
                source: Coverage(
                    **one | {name: tuple((start, stop) for start, stop in one[name]) for name in _RANGES if name in one}
                )
                for source, one in note["coverage"].items()
            }
            return cls(
                coverage=coverage, counts=Counts(**note["counts"]), replaces=tuple(map(str, note.get("replaces", ())))
            )
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"{type(error).__name__}: {error}") from None


def merge_coverage(notes: Iterable[PartNote]) -> dict[str, Coverage]:
    """What the parts cover together, by input file.

    Raises:
        OutputError: Two parts cover the same record, or read different versions of one file.
    """
    pieces: dict[str, list[Coverage]] = {}
    for note in notes:
        for source, coverage in note.coverage.items():
            pieces.setdefault(source, []).append(coverage)
    return {source: _merge(source, parts) for source, parts in pieces.items()}


def _merge(source: str, parts: list[Coverage]) -> Coverage:
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
    )


def _coverage(records: pa.Table) -> dict[str, Coverage]:
    """`records`: CHUNK."""
    columns = {
        **{name: records[name].combine_chunks() for name in ("source", "source_version", "ordinal", "last")},
        "withdrawn": withdrawn(records).combine_chunks(),
        "chunks": pc.list_value_length(records["chunks"]).combine_chunks(),
        "error": records["error"].is_valid().combine_chunks(),
    }
    rows = pa.table(columns)
    return {
        source: _coverage_of_one(rows.filter(pc.equal(rows["source"], source)))
        for source in rows["source"].unique().to_pylist()
    }


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
    )


def withdrawn(records: pa.Table) -> pa.ChunkedArray:
    """How each record (DOCUMENT and on) was withdrawn; null for a document of the dataset."""
    return pc.map_lookup(records["metadata"], WITHDRAWN, "first")


def length(ranges: Iterable[Range]) -> int:
    """How many ordinals the ranges hold."""
    return sum(stop - start for start, stop in ranges)


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


def _counts(records: pa.Table) -> Counts:
    taken_back = withdrawn(records)
    documents = records.filter(taken_back.is_null())
    chunks = documents["chunks"].combine_chunks().flatten()
    use = documents["model_use"].combine_chunks()
    took = {name: pc.sum(pc.struct_field(use, name)).as_py() or 0 for name in ("windows", "pieces", "padding")}
    return Counts(
        documents=documents.num_rows,
        sentences=pc.sum(pc.list_value_length(documents["sentences"])).as_py() or 0,
        tokens=pc.sum(documents["token_count"]).as_py() or 0,
        chunks=dict(sorted(Counter(chunks.field("entity").to_pylist()).items())),
        errors=documents.num_rows - documents["error"].null_count,
        broken_files=pc.map_lookup(documents["metadata"], BROKEN_FILE, "first").drop_null().length(),
        superseded=pc.sum(pc.equal(taken_back, SUPERSEDED)).as_py() or 0,
        deleted=pc.sum(pc.equal(taken_back, DELETED)).as_py() or 0,
        model_seconds=round(pc.sum(pc.struct_field(use, "seconds")).as_py() or 0.0, 6),
        **took,
    )
