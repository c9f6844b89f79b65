"""What all of PubMed takes, at the rates that a run of the suite measured: core-hours, hours by the clock, and money.

`python -m benchmarks.pubmed_cost --help`; how it is reckoned is in benchmarks/pubmed.md.
"""

import json
import math
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from rich.console import Console
from rich.table import Table

from pipelines.block_size import LARGEST_BLOCK_BYTES, text_bytes

JOB_ROW = " int8: cytotag tag after its start"
"""Of the row's name, behind that of the model (`rows/job.py`)."""

CORES = (2, 64, 1024)
PIECES = 8e9
"""Word pieces of 40 million citations: a guess, see pubmed.md."""
PARTS = 175_000
"""Parts that a run over them commits before `cytotag compact`, on so few cores that blocks have their usual size."""
PUBMED_BYTES = 47 * 10**9
"""The files of a baseline, compressed."""
DOLLARS = 0.0425
"""A vCPU-hour of an AWS c6i.4xlarge: list price on demand, us-east-1, $0.68 for 16, as of 2026-01-19
(github.com/aws/karpenter-provider-aws, pkg/providers/pricing/zz_generated.pricing_aws.go). Look it up."""


class Cost(NamedTuple):
    """What one run takes: `hours` by the clock, `parts` committed each second."""

    cores: int
    core_hours: float
    hours: float
    parts: float
    dollars: float


def rates_of(results: Mapping[str, Any]) -> dict[str, float]:
    """Word pieces a second and core, by model that was measured: the median of the turns.

    `results` is what `write_json` of `benchmarks/results.py` wrote.
    """
    rates = {}
    for row in results["rows"]:
        model, found, _ = row["name"].partition(JOB_ROW)
        turns = [turn for turn in row["sides"].get("ours", ()) if turn["seconds"] > 0] if found else []
        if turns:
            rates[model] = statistics.median(turn["pieces"] / turn["seconds"] for turn in turns) / results["threads"]
    return rates


def cost_of(rate: float, cores: int, *, measured: int, scaling: float, pieces: float, dollars: float) -> Cost:
    """What a run over `pieces` word pieces takes on `cores` cores, at `dollars` for a core-hour.

    `rate` is pieces/s and core on `measured` cores; of it each core has the share `scaling` where there are more.
    """
    seconds = pieces / (rate * (scaling if cores > measured else 1))
    hours = seconds / 3600 / cores
    parts = PARTS * pieces / PIECES * LARGEST_BLOCK_BYTES / text_bytes(PUBMED_BYTES, actors=cores)
    return Cost(cores, seconds / 3600, hours, parts / (hours * 3600), seconds / 3600 * dollars)


def main(
    results: Annotated[Path, typer.Argument(help="Of a run of the suite.", exists=True, dir_okay=False)] = Path(
        "bench-results/results.json"
    ),
    pieces: Annotated[float, typer.Option(min=1, help="Word pieces, special tokens with them.")] = PIECES,
    scaling: Annotated[
        float, typer.Option(min=0.01, max=1, help="Share of a core's rate that is left on more cores than measured.")
    ] = 0.9,
    dollars: Annotated[
        float, typer.Option(min=0, help="For a core-hour: AWS c6i.4xlarge / 16 vCPUs, on demand, January 2026.")
    ] = DOLLARS,
) -> None:
    """Print what all of PubMed takes at the measured rates, without the start of a run; exit code 1 without a rate."""
    try:
        read = json.loads(results.read_text(encoding="utf-8"))
        rates = rates_of(read)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise typer.BadParameter(f"{results}: is no results.json of the suite; run it with --row job") from None
    table = Table(title=f"{pieces:,.0f} word pieces, {scaling:g} of the rate on more than {read['threads']} cores")
    for heading in ("model", "pieces/s a core", "cores", "core-hours", "hours", "parts/s", f"$ at {dollars:g}"):
        table.add_column(heading, justify="left" if heading == "model" else "right")
    for model, rate in rates.items():
        for cores in CORES:
            cost = cost_of(rate, cores, measured=read["threads"], scaling=scaling, pieces=pieces, dollars=dollars)
            table.add_row(
                model, f"{rate:,.0f}", f"{cores:,}", *(f"{number:,.{_digits(number)}f}" for number in cost[1:])
            )
    Console(width=120).print(table if rates else f"{results}: no row `job` was measured; run the suite with --row job")
    raise typer.Exit(not rates)


def _digits(number: float) -> int:
    """Behind the point, so that there are two digits at least."""
    return max(0, 1 - math.floor(math.log10(number))) if number > 0 else 0


if __name__ == "__main__":
    typer.run(main)
