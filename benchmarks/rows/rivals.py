"""Ours against what others offer for the same model: the same weights, the same cores, the same sentences.

A rival is a script of `benchmarks.rivals`; it is given our sentences, since it cuts none. We start from the whole text.
Each turn runs ours with int8 weights, ours with the floats that the rival has, and the rival.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.corpus import write_corpus
from benchmarks.measurement import BenchModel, RowContext, RowResult, in_turns, rate_row, read_chunks

Goals = Mapping[str, float]
"""Of the ratio, by the kind of our weights; a kind without one is reported only."""


def over_pipeline(context: RowContext) -> list[RowResult]:
    """LightPipeline over transformers' pipeline with batches of 32."""
    goals = {"int8": 8.0, "fp32": 3.0}
    return _rows(context, "transformers pipeline, batch 32", "hf_pipeline", [], "light", goals)


def over_one_at_a_time(context: RowContext) -> list[RowResult]:
    """LightPipeline over transformers' pipeline as most people call it."""
    goals = {"int8": 20.0}
    return _rows(context, "transformers pipeline, one text a call", "hf_pipeline", ["--one-at-a-time"], "light", goals)


def over_ray_recipe(context: RowContext) -> list[RowResult]:
    """Our job on Ray after its start over the batch inference of Ray's documentation."""
    return _rows(context, "Ray's own recipe", "ray_recipe", [], "job", {"int8": 6.0})


def over_optimum(context: RowContext) -> list[RowResult]:
    """LightPipeline over transformers' pipeline on optimum's ONNX Runtime model, batches of 32."""
    return _rows(context, "optimum on ONNX Runtime, batch 32", "optimum_onnx", [], "light", {"int8": 2.0})


def _rows(
    context: RowContext, title: str, script: str, options: Sequence[str], command: str, goals: Goals
) -> list[RowResult]:
    """Two rows a model: ours in int8, and in floats, over one rival.

    Args:
        context: What every row gets.
        title: What the table calls the rival.
        script: Its module in `benchmarks.rivals`.
        options: Its own options.
        command: Our side, of `benchmarks.ours`.
        goals: Of the ratio.
    """
    rows = []
    for model in context.models:
        chunks = {kind: context.scratch / f"{kind}.jsonl" for kind in ("int8", "fp32", "theirs")}
        sides = {
            f"{model.name} {kind}, ours": _ours(context, model, command, folder, chunks[kind])
            for kind, folder in (("int8", model.int8), ("fp32", model.float32))
        }
        sides[f"{model.name}, {title}"] = [
            *(f"benchmarks.rivals.{script}", *options, "--sentences", str(model.corpus.sentences)),
            *("--model", str(model.weights), "--threads", str(context.threads), "--chunks", str(chunks["theirs"])),
        ]
        *ours, theirs = in_turns(sides, context.turns, context.scratch, context.say).values()
        rows += [
            rate_row(
                f"{model.name} {kind}: {'cytotag tag' if command == 'job' else 'LightPipeline'} ÷ {title}",
                turns,
                theirs,
                goal=goals.get(kind),
                note=agreement(chunks[kind], chunks["theirs"]),
            )
            for kind, turns in zip(("int8", "fp32"), ours, strict=True)
        ]
    return rows


def _ours(context: RowContext, model: BenchModel, command: str, folder: Path, chunks: Path) -> list[str]:
    """The tag policy is "cut", for rivals have no other."""
    corpus, further = model.corpus, []
    if command == "job":
        corpus = write_corpus(corpus.documents, context.scratch / f"long-{model.name}", copies=model.copies)
        further = ["--once", str(model.corpus.folder)]
    return [
        *("benchmarks.ours", command, "--corpus", str(corpus.folder), *further, "--model", str(folder)),
        *("--threads", str(context.threads), "--policy", "cut", "--chunks", str(chunks)),
    ]


def agreement(ours: Path, theirs: Path) -> str:
    """How many chunks both found, in words."""
    mine, others = set(read_chunks(ours)), set(read_chunks(theirs))
    both = len(mine & others)
    return f"{both:,} chunks are in both, {len(mine) - both:,} in ours only, {len(others) - both:,} in theirs only"
