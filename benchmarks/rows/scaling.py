"""What a second actor brings, and what ten times the corpus costs."""

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.corpus import FEW_DOCUMENTS, Corpus, write_corpus
from benchmarks.measurement import BenchModel, Ratio, RowContext, RowResult, in_turns, rate_row
from benchmarks.watched_job import WatchedJob, watch_job

TIMES = 10
ACTORS_GOAL, RATE_GOAL, MEMORY_GOAL = 1.9, 0.98, 1.1


def two_actors(context: RowContext) -> list[RowResult]:
    """A whole job with two actors of a thread each over one with one, of each model in int8.

    The note has what two threads do of the model alone over one: that is what the machine's two cores give.
    """
    rows = []
    for model in context.models:
        long = _copies(context, model, model.copies)
        sides = {
            f"{model.name}, {actors} actors of a thread": [
                *("benchmarks.ours", "job", "--corpus", str(long.folder), "--once", str(model.corpus.folder)),
                *("--model", str(model.int8), "--threads", str(actors)),
            ]
            for actors in (2, 1)
        }
        sides |= {
            f"{model.name} alone, {threads} at once": [
                *("benchmarks.model_alone", "--corpus", str(model.corpus.folder), "--model", str(model.int8)),
                *("--threads", str(threads)),
            ]
            for threads in (2, 1)
        }
        two, one, *alone = in_turns(sides, context.turns, context.scratch, context.say).values()
        of_machine = Ratio.of(*alone)
        note = (
            f"the model alone, 2 threads ÷ 1: {of_machine.median:.2f} ({of_machine.lowest:.2f} to "
            f"{of_machine.highest:.2f})"
        )
        rows.append(rate_row(f"{model.name}: 2 actors ÷ 1, a thread each", two, one, goal=ACTORS_GOAL, note=note))
    return rows


class Growth(NamedTuple):
    """Two runs of one turn, one over ten times the corpus of the other, and one of hardly more than their start."""

    short: WatchedJob
    small: WatchedJob
    large: WatchedJob

    def rate(self, run: WatchedJob) -> float:
        """Word pieces/s without the start; nan where the time was too short to measure."""
        seconds = run.numbers.tagging_seconds - self.short.numbers.tagging_seconds
        return (run.numbers.pieces - self.short.numbers.pieces) / seconds if seconds > 0 else math.nan


def ten_times_the_corpus(context: RowContext) -> list[RowResult]:
    """Word pieces/s and memory at ten times the corpus over once, with the first model in int8."""
    model = context.models[0]
    few = write_corpus(model.corpus.documents, context.scratch / f"{model.name}-few", limit=FEW_DOCUMENTS)
    small, large = (_copies(context, model, times) for times in (model.copies, model.copies * TIMES))
    turns = []
    for turn in range(1, context.turns + 1):
        runs = [
            watch_job(corpus, model.int8, actors=context.threads, scratch=context.scratch)
            for corpus in (few, small, large)
        ]
        turns.append(Growth(*runs))
        context.say(
            f"turn {turn} of {context.turns}, {large.size:,} documents: {turns[-1].rate(runs[-1]):,.0f} pieces/s"
        )
    return rows_of(f"{model.name}: {large.size:,} documents ÷ {small.size:,}", turns)


def rows_of(name: str, turns: Sequence[Growth]) -> list[RowResult]:
    """The row of the rate, and that of the memory."""
    rates = [(one.rate(one.large), one.rate(one.small)) for one in turns]
    memory = [(one.large.peak_memory / 2**20, one.small.peak_memory / 2**20) for one in turns]
    return [
        _row(f"{name}, word pieces/s", rates, "pieces/s", RATE_GOAL),
        _row(f"{name}, peak private memory", memory, "MiB", MEMORY_GOAL, goal_is_most=True),
    ]


def _row(
    name: str, pairs: Sequence[tuple[float, float]], unit: str, goal: float, *, goal_is_most: bool = False
) -> RowResult:
    ratio = Ratio.over([large / small for large, small in pairs])
    return RowResult(
        name=name,
        ours=statistics.median(large for large, _ in pairs),
        theirs=statistics.median(small for _, small in pairs),
        unit=unit,
        ratio=ratio.median,
        lowest=ratio.lowest,
        highest=ratio.highest,
        goal=goal,
        goal_is_most=goal_is_most,
    )


def _copies(context: RowContext, model: BenchModel, copies: int) -> Corpus:
    folder = context.scratch / f"{model.name}-{copies}"
    return write_corpus(model.corpus.documents, folder, copies=copies)
