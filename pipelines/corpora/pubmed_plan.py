"""Which records of a set of PubMed files are the last word on their PMID: those are tagged, the others are not.

NLM publishes whole records, in numbered files: a baseline each December, then update files day by day, in which a
citation stands again when it was revised, and in a list when it was deleted. So the last word on a PMID is that of the
highest file; within a file that of the highest version, then of the last record; a file's deletions come after its
records. A deletion names a version, and takes back that and the lower ones.
"""

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.corpora.input_files import InputError
from pipelines.corpora.pubmed_scan import PROBLEM
from pipelines.corpora.records import Record
from pipelines.schema import DELETED, SUPERSEDED, WITHDRAWN

Ordinals = npt.NDArray[np.int32]
"""Ascending."""

Withdrawn = Mapping[str, Ordinals]
"""Of one file: `SUPERSEDED` and `DELETED`, each with the ordinals of those records."""

_NUMBERED = re.compile(r"pubmed(\d\d)n(\d{4,})\.xml(?:\.gz)?", re.IGNORECASE)
_PMIDS = 10**8
"""PMIDs have up to eight digits."""
_LATER_RECORD = 255
"""State of a PMID that a later record speaks of; 0 if nothing does; else the version that was deleted."""


@dataclass(frozen=True, kw_only=True)
class FilePlan:
    """What becomes of the records of one file.

    Attributes:
        citations: The number of records.
        withdrawn: The records that are not the last word on their PMID.
        deletions: The number of citations that the file takes back.
        problem: Why the file cannot be read to its end; "" if it can.
    """

    citations: int
    withdrawn: Withdrawn
    deletions: int
    problem: str

    @property
    def to_tag(self) -> int:
        """The number of records that are the last word on their PMID."""
        return self.citations - sum(map(len, self.withdrawn.values()))


@dataclass(frozen=True, kw_only=True)
class CitationPlan:
    """What becomes of the records of all PubMed files of a run.

    Attributes:
        files: By path, in the order in which the files speak.
        unknown_deletions: The number of PMIDs that are deleted and in no file: taken back before the baseline was made.
        warnings: What may make the plan wrong, a line each.
    """

    files: Mapping[str, FilePlan]
    unknown_deletions: int
    warnings: tuple[str, ...]

    @property
    def withdrawn(self) -> dict[str, Withdrawn]:
        """Of each file its `FilePlan.withdrawn`."""
        return {path: one.withdrawn for path, one in self.files.items()}


def plan_citations(paths: Sequence[str], citations_of: Callable[[str], pa.Table]) -> CitationPlan:
    """Makes the plan; it goes through the files from the last to the first, so the first word it meets is the last.

    Memory: a byte a PMID, in the pages that are touched; the table of one file; four bytes a record that is withdrawn.

    Args:
        paths: The files, those without a number in the order in which they speak.
        citations_of: Gives the table (CITATION) of a file.

    Raises:
        InputError: The files are of two baselines.
    """
    ordered = order_files(paths)
    state = np.zeros(_PMIDS, np.uint8)
    files: dict[str, FilePlan] = {}
    all_deleted = [np.empty(0, np.int32)]
    for path in reversed(ordered):
        citations = citations_of(path)
        records, deletions = (
            citations.filter(mask) for mask in (pc.invert(citations["deletion"]), citations["deletion"])
        )
        deleted = deletions["pmid"].to_numpy()
        np.maximum.at(state, deleted, _state(deletions["version"].to_numpy()))
        files[path] = FilePlan(
            citations=records.num_rows,
            withdrawn=_withdraw(records["pmid"].to_numpy(), records["version"].to_numpy(), state),
            deletions=deletions.num_rows,
            problem=(citations.schema.metadata or {}).get(PROBLEM, b"").decode(),
        )
        all_deleted.append(deleted)
    unknown = np.unique(np.concatenate(all_deleted))
    files = {path: files[path] for path in ordered}
    return CitationPlan(
        files=files,
        unknown_deletions=int(np.count_nonzero((state[unknown] != _LATER_RECORD) & (unknown != 0))),
        warnings=(*_warnings(ordered), *_problems(files)),
    )


def _withdraw(pmids: npt.NDArray[np.int32], versions: npt.NDArray[np.int16], state: npt.NDArray[np.uint8]) -> Withdrawn:
    """The records of one file that are superseded, and those that are deleted; notes in `state` what the file says.

    Args:
        pmids: By ordinal; 0 for a record without one, which nothing withdraws.
        versions: By ordinal.
        state: By PMID, of what comes after the file's records; see `_LATER_RECORD`.
    """
    order = np.lexsort((versions, pmids))  # stable, so the ordinals of equal versions ascend
    last = np.append(pmids[order][1:] != pmids[order][:-1], True)[: len(order)]
    named = pmids[order] != 0
    words = order[last & named]  # the file's own last word on each PMID
    after = state[pmids[words]]
    deleted = (after != 0) & (after != _LATER_RECORD) & (_state(versions[words]) <= after)
    state[pmids[words]] = _LATER_RECORD
    superseded = np.concatenate([order[~last & named], words[after == _LATER_RECORD]])
    return {SUPERSEDED: _ordinals(superseded), DELETED: _ordinals(words[deleted])}


def _state(deleted_versions: npt.NDArray[np.int16]) -> npt.NDArray[np.uint8]:
    return np.clip(deleted_versions, 1, _LATER_RECORD - 1).astype(np.uint8)


def _ordinals(indices: npt.NDArray[np.int64]) -> Ordinals:
    return np.sort(indices).astype(np.int32)


def withhold(records: Iterable[Record], withdrawn: Withdrawn) -> Iterator[Record]:
    """The records of a file, those that are withdrawn without their text, and with the reason in their metadata."""
    reasons = (None, *withdrawn)
    marks = np.zeros(1 + max((ordinals[-1] for ordinals in withdrawn.values() if len(ordinals)), default=-1), np.uint8)
    for mark, ordinals in enumerate(withdrawn.values(), start=1):
        marks[ordinals] = mark
    for ordinal, record in enumerate(records):
        reason = reasons[marks[ordinal]] if ordinal < len(marks) else None
        yield record if reason is None else Record(record.document_id, None, {WITHDRAWN: reason})


def order_files(paths: Sequence[str]) -> list[str]:
    """The files in the order in which they speak: NLM's by their numbers, then the others as they stand.

    Raises:
        InputError: They are of two baselines.
    """
    years: dict[int, str] = {}
    for path in paths:
        if number := _number(path):
            years.setdefault(number[0], path)
    if len(years) > 1:
        one, other = (years[year] for year in sorted(years)[:2])
        raise InputError(
            other,
            f"of another year than {one}; a year's baseline replaces all before it; tag them apart",
        )
    return sorted(paths, key=lambda path: _number(path) or (100, 0))


def _number(path: str) -> tuple[int, int] | None:
    """Year and number of a file that is named as NLM names them."""
    match = _NUMBERED.fullmatch(PurePath(path.replace("\\", "/")).name)
    return (int(match[1]), int(match[2])) if match else None


def _warnings(ordered: Sequence[str]) -> Iterator[str]:
    """What is wrong with the numbers of the files."""
    numbers = [(one[1], path) for path in ordered if (one := _number(path))]
    for (before, first), (number, second) in itertools.pairwise(numbers):
        if number == before:
            yield f"{second}: has the number of {first}; the last one named has the last word"
        elif number > before + 1:
            missing = f"{before + 1:04d}" if number == before + 2 else f"{before + 1:04d} to {number - 1:04d}"
            yield f"{second}: the file before it is missing (number {missing}); what that revises or deletes is unknown"


def _problems(files: Mapping[str, FilePlan]) -> Iterator[str]:
    return (f"{path}: {one.problem}" for path, one in files.items() if one.problem)
