"""What a user waits for: the first chunk of one text, and the first part of a job."""

import statistics
from collections.abc import Sequence

from benchmarks.measurement import BenchModel, Ratio, RowContext, RowResult
from benchmarks.start_up import TEXT, Start, first_output, first_part, imports, least, parts, tag_text

SHOWN = 6
"""Parts that a note names."""


def first_chunk(context: RowContext) -> list[RowResult]:
    """From the start of `cytotag tag --text` to its first output, over the least that could be, of each model."""
    rows = []
    for model in context.models:
        floor = ["-m", "benchmarks.least_start", "text", str(model.int8), TEXT]
        taken = [(first_output(tag_text(model.int8)), first_output(floor)) for _ in range(context.turns)]
        of_parts = least([parts(tag_text(model.int8)[2:]) for _ in range(context.turns)])
        of_imports = imports(tag_text(model.int8), context.turns)
        cpu = {name: seconds for name, (_, seconds) in of_parts.items()}
        note = f"CPU s: {largest(cpu)}; imports, s: {largest(of_imports)}"
        rows.append(row_of(f"{model.name}: start to the first chunk of one text ÷ the model alone", taken, note))
        context.say(f"{rows[-1].name}: {rows[-1].ours:.2f} s")
    return rows


def first_part_of_a_job(context: RowContext) -> list[RowResult]:
    """From the start of a local job to its first part, over the start of a Ray, of each model."""
    return [_first_part(context, model) for model in context.models]


def _first_part(context: RowContext, model: BenchModel) -> RowResult:
    taken, of_parts = [], []
    output = context.scratch / f"first-part-{model.name}"
    arguments = ["tag", str(model.corpus.documents), "--output", str(output), "--overwrite"]
    arguments += ["--model", str(model.int8)]
    for _ in range(context.turns):
        for part in output.glob("part-*"):  # an earlier turn's would be taken for this one's
            part.unlink()
        ours = first_part(["-m", "pipelines", *arguments], output)
        taken.append((ours, first_output(["-m", "benchmarks.least_start", "ray"])))
        of_parts.append(parts(arguments))
    clock = {name: seconds for name, (seconds, _) in least(of_parts).items()}
    note = f"s of the driver, of the whole run: {largest(clock)}"
    row = row_of(f"{model.name}: start to the first part of a job ÷ the start of Ray", taken, note)
    context.say(f"{row.name}: {row.ours:.2f} s")
    return row


def row_of(name: str, taken: Sequence[tuple[Start, Start]], note: str) -> RowResult:
    """The row of ours and theirs; less is better, and there is no goal but to report it."""
    ratio = Ratio.over([ours.first / theirs.first for ours, theirs in taken])
    return RowResult(
        name=name,
        ours=statistics.median(ours.first for ours, _ in taken),
        theirs=statistics.median(theirs.first for _, theirs in taken),
        unit="s",
        ratio=ratio.median,
        lowest=ratio.lowest,
        highest=ratio.highest,
        note=note,
    )


def largest(seconds: dict[str, float]) -> str:
    """The parts that take most, and how many seconds each; then the rest together."""
    ordered = sorted(seconds.items(), key=lambda item: -item[1])
    shown = [f"{name} {took:.2f}" for name, took in ordered[:SHOWN]]
    rest = sum(took for _, took in ordered[SHOWN:])
    return ", ".join([*shown, f"others {rest:.2f}"] if len(ordered) > SHOWN else shown)
