"""How near the model comes to what the machine can do: its products against the same products alone."""

import math
import statistics
from collections.abc import Sequence
from pathlib import Path

from actors.model_files import ModelFiles
from benchmarks.corpus import Corpus, model_windows
from benchmarks.matmul_rate import Comparison, compare
from benchmarks.measurement import Ratio, RowContext, RowResult
from benchmarks.model_alone import batches
from benchmarks.profile import OperatorTime, profile

SHOWN = 6
"""Operators that the note names."""

THREADS = 1
"""Of the model and of the products: a TokenClassifier runs each batch on one thread, however many it has."""


def arithmetic_rate(context: RowContext) -> list[RowResult]:
    """Multiply-adds/s in the model over those of the machine, of each model in int8 and in floats."""
    return [
        _row(context, model.corpus, f"{model.name} {kind}: arithmetic in the model ÷ the machine's own rate", folder)
        for model in context.models
        for kind, folder in (("int8", model.int8), ("fp32", model.float32))
    ]


def _row(context: RowContext, corpus: Corpus, name: str, folder: Path) -> RowResult:
    files = ModelFiles.from_pretrained(folder)
    windows = model_windows(corpus, files)
    compared = compare(files, windows, threads=THREADS, turns=context.turns)
    context.say(f"{name}: {statistics.median(one.share for one in compared):.2f}")
    return row_of(name, compared, profile(files, batches(windows), threads=THREADS))


def row_of(name: str, compared: Sequence[Comparison], operators: Sequence[OperatorTime]) -> RowResult:
    """The row, whose note says where the time in the model goes."""
    ratio = Ratio.over([one.share for one in compared])
    shares = ", ".join(f"{one.operator} {one.share:.0%}" for one in operators[:SHOWN])
    rest = math.fsum(one.share for one in operators[SHOWN:])
    return RowResult(
        name=name,
        ours=statistics.median(one.model for one in compared) / 1e9,
        theirs=statistics.median(one.machine for one in compared) / 1e9,
        unit="thousand million multiply-adds/s",
        ratio=ratio.median,
        lowest=ratio.lowest,
        highest=ratio.highest,
        note=f"time in the model: {shares}" + (f", others {rest:.0%}" if rest else ""),
    )
