"""What can be wrong with the rows of chunks of a part."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.outputs.coverage import Coverage, Range, of_source

Bools = npt.NDArray[np.bool_]
Int = npt.NDArray[np.int64]


def row_problems(
    rows: pa.Table, covered: Mapping[str, Coverage], errors: pa.Table
) -> Iterator[tuple[dict[str, Any], str]]:
    """Rows that cannot be, and why: of each document the first for each reason.

    Args:
        rows: Chunks of whole documents (CHUNK_ROW).
        covered: What the part covers, by input file.
        errors: The error rows of the part (ERROR_ROW).
    """
    documents = _documents(rows)
    first = np.flatnonzero(np.diff(documents, prepend=-1))
    start, end, score = (rows[name].to_numpy() for name in ("start", "end", "score"))
    lengths = pc.utf8_length(rows["text"]).to_numpy()
    for what, wrong in (
        ("chunk_id does not count up from 0", rows["chunk_id"].to_numpy() != np.arange(len(start)) - first[documents]),
        ("start and end of a chunk are not offsets", (start < 0) | (start >= end)),
        ("a chunk has not the length that its offsets say", lengths != end - start),
        ("the score of a chunk is not within 0 and 1", ~((score >= 0) & (score <= 1))),
        ("a chunk stands twice", _doubles(rows, documents)),
        ("is not a record of the part, and has chunks", ~_covered(rows, covered)),
        ("could not be tagged, and has chunks", _listed(rows, errors)),
    ):
        if wrong.any():
            places = np.flatnonzero(wrong)
            for place in places[np.unique(documents[places], return_index=True)[1]].tolist():
                yield rows.slice(place, 1).to_pylist()[0], what


def contains(ranges: tuple[Range, ...], ordinals: Int) -> Bools:
    """Which of the ordinals are in the ranges. `ranges`: ascending, none overlaps the next."""
    if not ranges:
        return np.zeros(len(ordinals), dtype=np.bool_)
    starts, stops = np.array(ranges, dtype=np.int64).T
    place = np.searchsorted(starts, ordinals, "right") - 1
    within: Bools = (place >= 0) & (ordinals < stops[place])
    return within


def _documents(rows: pa.Table) -> Int:
    """The number of the document of each row: equal for successive rows of one record."""
    sources = rows["source"].combine_chunks().dictionary_encode().indices.to_numpy()
    new = (np.diff(sources, prepend=-1) != 0) | (np.diff(rows["ordinal"].to_numpy(), prepend=-1) != 0)
    return np.cumsum(new, dtype=np.int64) - 1


def _doubles(rows: pa.Table, documents: Int) -> Bools:
    entities = rows["entity"].combine_chunks().dictionary_encode().indices.to_numpy()
    keys = np.stack([documents, rows["start"].to_numpy(), rows["end"].to_numpy(), entities])
    order = np.lexsort(keys)
    same = np.concatenate([[False], (np.diff(keys[:, order]) == 0).all(axis=0)])[: len(order)]
    doubles = np.zeros(len(order), dtype=np.bool_)
    doubles[order] = same
    return doubles


def _covered(rows: pa.Table, covered: Mapping[str, Coverage]) -> Bools:
    ordinals, found = rows["ordinal"].to_numpy(), np.zeros(rows.num_rows, dtype=np.bool_)
    for source in rows["source"].unique().to_pylist():
        if source in covered:
            of_it = pc.equal(rows["source"], source).to_numpy()
            one = covered[source]
            found |= of_it & contains(one.ranges, ordinals) & ~contains(one.withdrawn, ordinals)
    return found


def _listed(rows: pa.Table, errors: pa.Table) -> Bools:
    found = np.zeros(rows.num_rows, dtype=np.bool_)
    for source in errors["source"].unique().to_pylist():
        of_it = pc.equal(rows["source"], source).to_numpy()
        found |= of_it & np.isin(rows["ordinal"].to_numpy(), of_source(errors, source)["ordinal"].to_numpy())
    return found
