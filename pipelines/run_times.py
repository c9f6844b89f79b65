"""When a dataset was tagged, from the times at which its parts were written. Pure."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pipelines.outputs.part_note import is_merged, run_of

MOST_RATES = 60
PARTS_A_RATE = 3
"""Parts come one by one: fewer in an interval would show when they were written, not how fast it went."""

CLOCK_SECONDS = 2.0
"""What the clocks of two machines, or of a machine and a store, may differ by."""


class WrittenPart(NamedTuple):
    """A part: its name, how many documents it holds, and when it was written, in seconds since 1970."""

    name: str
    documents: int
    written: float


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """What one run, or one go at it, wrote.

    Attributes:
        began: When its first part was written, in seconds since 1970. When that was begun is not known.
        ended: When its last one was.
        parts: How many it wrote.
        documents: In all of them.
        rates: Documents/s in equal intervals from `began` to `ended`, the first part left out; none for one part.
    """

    began: float
    ended: float
    parts: int
    documents: int
    rates: tuple[float, ...]

    @property
    def rate(self) -> float | None:
        """Documents/s from `began` to `ended`, the first part left out."""
        return sum(self.rates) / len(self.rates) if self.rates else None


def stretches(parts: Iterable[WrittenPart], started: float, ended: float | None) -> tuple[tuple[Stretch, ...], int]:
    """The stretches in which parts were written, in their order, and how many parts' times say nothing of that.

    The time of a part says nothing where it was written again since: merged of others, rewritten by a later run, or
    copied.

    Args:
        parts: All that count.
        started: When the last run did, in seconds since 1970.
        ended: When it did; None where it has not.
    """
    runs: dict[str, list[WrittenPart]] = {}
    unknown = 0
    for part in parts:
        if is_merged(part.name) or (ended is not None and part.written > ended + CLOCK_SECONDS):
            unknown += 1
        else:
            runs.setdefault(run_of(part.name), []).append(part)
    found = []
    for run in runs.values():
        earlier = [part for part in run if part.written < started - CLOCK_SECONDS]
        unknown += len(run) - len(earlier) if earlier else 0  # an earlier run's, rewritten by the last
        found.append(_stretch(earlier or run))
    return tuple(sorted(found, key=lambda one: one.began)), unknown


def _stretch(parts: Sequence[WrittenPart]) -> Stretch:
    ordered = sorted(parts, key=lambda part: part.written)
    began, ended = ordered[0].written, ordered[-1].written
    later = ordered[1:]
    rates: tuple[float, ...] = ()
    if ended > began:
        number = min(max(len(later) // PARTS_A_RATE, 1), MOST_RATES)
        times, documents = [part.written for part in later], [part.documents for part in later]
        sums, _ = np.histogram(times, bins=number, range=(began, ended), weights=documents)
        rates = tuple((sums * number / (ended - began)).tolist())
    return Stretch(
        began=began,
        ended=ended,
        parts=len(ordered),
        documents=sum(part.documents for part in ordered),
        rates=rates,
    )


def pauses(stretches: Sequence[Stretch]) -> tuple[float, ...]:
    """Seconds between each stretch and the next."""
    return tuple(after.began - before.ended for before, after in itertools.pairwise(stretches))
