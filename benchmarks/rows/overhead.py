"""What a job takes beside the model, in CPU seconds of all its processes."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.corpus import FEW_DOCUMENTS, write_corpus
from benchmarks.measurement import BenchModel, Ratio, RowContext, RowResult, in_turns
from benchmarks.watched_job import WatchedJob, watch_job

GOALS = {"embedded": 0.15}
"""By the model's name; it is the share of the rest that counts, so a small model has most of it."""
GOAL = 0.05


@dataclass(frozen=True, kw_only=True)
class CpuShares:
    """CPU seconds of a job without its start, in one turn.

    Attributes:
        by_kind: Of its processes.
        model: Of the model alone, run on the same windows, on as many cores at once: they slow each other down.
        model_clock: What the parts say that the model took, by the clock: it goes on while other work has the core,
            so on a busy machine it is too much.
    """

    by_kind: Mapping[str, float]
    model: float
    model_clock: float

    @property
    def all(self) -> float:
        """Of all processes."""
        return math.fsum(self.by_kind.values())

    @property
    def beside(self) -> float:
        """The share of what is not the model; nan where there is nothing to measure, or noise was more than it."""
        return 1 - self.model / self.all if self.all > self.model else math.nan


def beside_the_model(context: RowContext) -> list[RowResult]:
    """CPU seconds beside the model over all, of each model in int8."""
    return [_row(context, model) for model in context.models]


def _row(context: RowContext, model: BenchModel) -> RowResult:
    few = write_corpus(model.corpus.documents, context.scratch / f"few-{model.name}", limit=FEW_DOCUMENTS)
    long = write_corpus(model.corpus.documents, context.scratch / f"long-{model.name}", copies=model.copies)
    threads = str(context.threads)
    taken = []
    for _ in range(context.turns):
        command = ["benchmarks.model_alone", "--model", str(model.int8), "--threads", threads, "--corpus"]
        sides = {"few": [*command, str(few.folder)], "long": [*command, str(long.folder)]}
        alone = {
            name: turn.cpu_seconds or 0.0 for name, (turn,) in in_turns(sides, 1, context.scratch, context.say).items()
        }
        jobs = [
            watch_job(corpus, model.int8, actors=context.threads, scratch=context.scratch) for corpus in (few, long)
        ]
        taken.append(difference(*jobs, model=alone["long"] - alone["few"]))
        context.say(f"{model.name}: {taken[-1].beside:.1%} of the CPU time is beside the model")
    return row_of(model.name, taken)


def difference(short: WatchedJob, long: WatchedJob, *, model: float) -> CpuShares:
    """What the longer run took more, which is without the start of Ray, of the workers and of the model."""
    kinds = sorted(short.cpu_seconds.keys() | long.cpu_seconds.keys())
    return CpuShares(
        by_kind={kind: long.cpu_seconds.get(kind, 0.0) - short.cpu_seconds.get(kind, 0.0) for kind in kinds},
        model=model,
        model_clock=long.numbers.model_seconds - short.numbers.model_seconds,
    )


def row_of(model: str, taken: Sequence[CpuShares]) -> RowResult:
    """The row of one model."""
    ratio = Ratio.over([one.beside for one in taken])
    kinds = {kind: statistics.median(one.by_kind[kind] / one.all for one in taken) for kind in taken[0].by_kind}
    shares = ", ".join(f"{kind} {share:.0%}" for kind, share in sorted(kinds.items(), key=lambda item: -item[1]))
    by_clock = statistics.median(one.model_clock / one.all for one in taken)
    return RowResult(
        name=f"{model}: CPU seconds beside the model ÷ all",
        ours=statistics.median(one.all - one.model for one in taken),
        theirs=statistics.median(one.all for one in taken),
        unit="CPU seconds",
        ratio=ratio.median,
        lowest=ratio.lowest,
        highest=ratio.highest,
        goal=GOALS.get(model, GOAL),
        goal_is_most=True,
        note=f"all, by process: {shares}; in the model by the clock, as the parts say: {by_clock:.0%} of all",
    )
