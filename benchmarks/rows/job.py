"""The whole job on Ray against ONNX Runtime alone: what everything around the model costs."""

import statistics
from collections.abc import Sequence

from benchmarks.corpus import write_corpus
from benchmarks.measurement import BenchModel, RowContext, RowResult, Turn, in_turns, rate_row

GOALS = {"embedded": 0.90}
"""By the model's name; the larger the model, the less is around it."""
GOAL = 0.95


def over_bare_loop(context: RowContext) -> list[RowResult]:
    """A whole `cytotag tag` run after its start over a bare loop on the same word pieces, of each model in int8."""
    return [_row(context, model) for model in context.models]


def _row(context: RowContext, model: BenchModel) -> RowResult:
    long = write_corpus(model.corpus.documents, context.scratch / f"long-{model.name}", copies=model.copies)
    options = ["--corpus", str(long.folder), "--model", str(model.int8), "--threads", str(context.threads)]
    sides = {
        f"{model.name} int8, whole job": ["benchmarks.ours", "job", *options, "--once", str(model.corpus.folder)],
        f"{model.name} int8, bare loop": ["benchmarks.ours", "bare", *options],
    }
    job, bare = in_turns(sides, context.turns, context.scratch, context.say).values()
    return row_of(model.name, job, bare)


def row_of(model: str, job: Sequence[Turn], bare: Sequence[Turn]) -> RowResult:
    """The row of one model."""
    start = statistics.median(turn.start_seconds for turn in job)
    return rate_row(
        f"{model} int8: cytotag tag after its start ÷ bare ONNX Runtime loop",
        job,
        bare,
        goal=GOALS.get(model, GOAL),
        note=f"the start of Ray, workers and model is left out: {start:.1f} s",
    )
