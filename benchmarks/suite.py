"""The speed suite: ours against others, side by side on this machine, as ratios.

`python -m benchmarks.suite --help`; what the rows mean is in benchmarks/README.md.
"""

import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from benchmarks.corpus import write_corpus
from benchmarks.environment import environment
from benchmarks.measurement import Row, RowContext, RowResult
from benchmarks.results import notes_of, table_of, write_json, write_picture
from benchmarks.rows import job, machine, overhead, rivals, scaling, start

ROWS: Mapping[str, Row] = {
    "job": job.over_bare_loop,
    "pipeline": rivals.over_pipeline,
    "one-at-a-time": rivals.over_one_at_a_time,
    "ray-recipe": rivals.over_ray_recipe,
    "optimum": rivals.over_optimum,
    "arithmetic": machine.arithmetic_rate,
    "actors": scaling.two_actors,
    "ten-times": scaling.ten_times_the_corpus,
    "overhead": overhead.beside_the_model,
    "first-chunk": start.first_chunk,
    "first-part": start.first_part_of_a_job,
}
SMOKE_DOCUMENTS = 12
BUSY = 0.5
"""Processes that want a CPU, on average over the last minute: from there on, a warning."""

FILE_WIDTH = 140
"""Columns of the table where no terminal says how many it has."""

console = Console(markup=False, emoji=False, highlight=False, width=None if sys.stdout.isatty() else FILE_WIDTH)


def _known(names: list[str]) -> list[str]:
    if unknown := [name for name in names if name not in ROWS]:
        raise typer.BadParameter(f"no row {', '.join(unknown)}; there are {', '.join(ROWS)}")
    return names or list(ROWS)


def main(
    row: Annotated[
        list[str],
        typer.Option(metavar="NAME", help=f"Measure this row; all without: {', '.join(ROWS)}.", callback=_known),
    ] = [],  # noqa: B006  # typer's own copy
    output: Annotated[Path, typer.Option(help="Folder for results.json and results.png.")] = Path("bench-results"),
    turns: Annotated[int, typer.Option(min=1, help="How often each side is run.")] = 3,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of each side; the cores without it.")] = None,
    documents: Annotated[int | None, typer.Option(min=1, help="Only so many abstracts; all without it.")] = None,
    smoke: Annotated[
        bool, typer.Option("--smoke", help="Only see that it works: a dozen abstracts, a tiny random model, one turn.")
    ] = False,
    corpus: Annotated[Path, typer.Option(help="JSONL with document_id and text.", exists=True, dir_okay=False)] = Path(
        "../shared/jnlpba/dev.jsonl"
    ),
    models: Annotated[
        Path | None, typer.Option(help="Folder that keeps the models for a next time.", show_default=False)
    ] = None,
) -> None:
    """Measure ours against others and print one table of ratios.

    Exit code 1 where a row could not be measured; goals that are missed are no failure.
    """
    from benchmarks.models import prepare_models  # it needs the extra `bench`

    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # or every process of every side compiles all that it imports
    where = environment()
    if where["machine"]["load_before"] > BUSY and not smoke:
        console.print(f"load {where['machine']['load_before']}: other work goes on, the ratios will be noisy")
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="cytotag-suite-") as scratch:
        try:
            texts = write_corpus(corpus, Path(scratch, "corpus"), limit=SMOKE_DOCUMENTS if smoke else documents)
        except (ValueError, KeyError, TypeError) as error:
            raise typer.BadParameter(
                f"{corpus}: a line is no JSON object with document_id and text ({error}); give a corpus of those"
            ) from None
        console.print(f"{texts.size:,} abstracts of {corpus}; making the models")
        context = RowContext(
            models=prepare_models(models or Path(scratch, "models"), texts, smoke=smoke),
            threads=threads or len(os.sched_getaffinity(0)),
            turns=1 if smoke else turns,
            smoke=smoke,
            scratch=Path(scratch),
            say=lambda said: console.print(f"  {said}", soft_wrap=True),
        )
        settings = {
            **where,
            "corpus": {"file": corpus.name, "documents": texts.size},
            "threads": context.threads,
            "turns": context.turns,
            "smoke": smoke,
        }
        results, failed = measure(row, context, settings, output)
    console.print(table_of(results))
    for note in notes_of(results):
        console.print(note, soft_wrap=True)
    for name, reason in failed.items():
        console.print(f"{name}: not measured: {reason}", soft_wrap=True)
    console.print(f"{output / 'results.json'}, {output / 'results.png'}", soft_wrap=True)
    if failed:
        raise typer.Exit(1)


def measure(
    names: Sequence[str], context: RowContext, settings: Mapping[str, Any], output: Path
) -> tuple[list[RowResult], dict[str, str]]:
    """The rows, and why some could not be measured; what is known is written after each, for all take hours."""
    results: list[RowResult] = []
    failed: dict[str, str] = {}
    machine = settings["machine"]
    caption = f"{settings['date'][:10]}, {machine['cpu']}, {context.threads} threads, {context.turns} turns"
    for name in names:
        console.print(name)
        scratch = context.scratch / name
        scratch.mkdir()
        try:
            results += ROWS[name](replace(context, scratch=scratch))
        except Exception as error:  # the other rows are worth having all the same
            failed[name] = f"{type(error).__name__}: {error}"
            console.print(f"  {failed[name]}", soft_wrap=True)
        write_json(output / "results.json", settings, results, failed)
        write_picture(output / "results.png", results, caption)
    return results, failed


if __name__ == "__main__":
    typer.run(main)
