"""Memory of `cytotag tag`: at ten times the input, and over a long time.

`python -m benchmarks.memory growth` tags a generated PubMed baseline and one ten times as large, and prints the peak
memory of the driver and of its workers in both. `python -m benchmarks.memory soak --minutes 20` lets one run go on and
prints the memory by the minute. `benchmarks.serve_soak` does so of an endpoint. Linux, with psutil.
"""

import contextlib
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import psutil
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.pubmed_generator import write_baseline

SAMPLE_SECONDS = 0.5
FILE_CITATIONS = 1500
RAYS_OWN, TOGETHER = "Ray's own", "driver + workers"
ROLES = ("driver", "workers", RAYS_OWN)

app = typer.Typer(add_completion=False)


@dataclass
class MemorySamples:
    """What the processes of one run held, in bytes, a sample every half second.

    It is private memory, resident less shared: the object store, a file of a fixed size in shared memory, is mapped by
    every worker and would be counted in each.
    """

    seconds: list[float] = field(default_factory=list)
    by_role: dict[str, list[int]] = field(default_factory=lambda: {role: [] for role in ROLES})

    def take(self, driver: int, seconds: float) -> None:
        """One sample of the driver and of all the processes that it started."""
        held = dict.fromkeys(ROLES, 0)
        processes = [psutil.Process(driver)]
        for process in [*processes, *processes[0].children(recursive=True)]:
            with contextlib.suppress(psutil.Error):  # it ended since
                held[_role(process, driver)] += private_bytes(process)
        self.seconds.append(seconds)
        for role, size in held.items():
            self.by_role[role].append(size)

    def peaks(self) -> dict[str, int]:
        """The most that each role held, and driver and workers together."""
        return {role: max(sizes) for role, sizes in self.by_role.items()} | {TOGETHER: self.peak_between(0, math.inf)}

    def peak_between(self, start: float, end: float) -> int:
        """The most that driver and workers held together in these seconds."""
        rows = zip(self.seconds, self.by_role["driver"], self.by_role["workers"], strict=True)
        return max((driver + workers for second, driver, workers in rows if start <= second < end), default=0)


def private_bytes(process: psutil.Process) -> int:
    """What a process holds for itself.

    Raises:
        psutil.Error: It ended.
    """
    memory = process.memory_info()
    return int(memory.rss - memory.shared)


def _role(process: psutil.Process, driver: int) -> str:
    if process.pid == driver:
        return "driver"
    return "workers" if " ".join(process.cmdline()).startswith("ray::") else RAYS_OWN


def watch(command: list[str], *, limit_seconds: float = math.inf) -> tuple[MemorySamples, int]:
    """Runs a command and samples the memory of it and of all that it starts; ends it after `limit_seconds`."""
    samples, began = MemorySamples(), time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as run:  # noqa: S603  # our own command
        while run.poll() is None:
            with contextlib.suppress(psutil.NoSuchProcess):
                samples.take(run.pid, time.monotonic() - began)
            if time.monotonic() - began > limit_seconds:
                run.terminate()  # SIGINT is ignored by what a shell runs in the background
                limit_seconds = math.inf
            time.sleep(SAMPLE_SECONDS)
    return samples, run.returncode


def _tag(corpus: Path, output: Path, options: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "pipelines", "tag", str(corpus), "--output", str(output), *options]


def peaks(citations: int, options: Sequence[str] = ()) -> dict[str, int]:
    """The peak memory of a run over a generated baseline of about so many citations, bytes by role.

    Raises:
        RuntimeError: The run failed, or left a document out.
    """
    with tempfile.TemporaryDirectory(prefix="cytotag-memory-") as folder:
        files = max(1, citations // FILE_CITATIONS)
        truth = write_baseline(Path(folder, "corpus"), files=files, citations=citations // files, updates=0, seed=1)
        samples, code = watch(_tag(Path(folder, "corpus"), Path(folder, "chunks"), options))
        if code:
            raise RuntimeError(f"cytotag tag ended with {code}")
        counts = json.loads(Path(folder, "chunks", "_manifest.json").read_text(encoding="utf-8"))["counts"]
        if counts["documents"] != len(truth.texts):
            raise RuntimeError(f"{counts['documents']:,} documents were tagged, and there are {len(truth.texts):,}")
    return samples.peaks()


@app.command()
def growth(
    citations: Annotated[int, typer.Option(help="Citations of the smaller baseline.")] = 3000,
    factor: Annotated[int, typer.Option(help="How many times larger the other is.")] = 10,
    model: Annotated[Path | None, typer.Option(help="Model folder; the embedded model without it.")] = None,
    json_to: Annotated[Path | None, typer.Option("--json", help="Write the figures there too.")] = None,
) -> None:
    """Peak memory at 1 and at FACTOR times the input."""
    options = ["--model", str(model)] if model else []
    figures = {f"{times}x": peaks(citations * times, options) for times in (1, factor)}
    table = Table(title=f"peak private memory, MiB: {citations:,} citations, and {factor} times as many")
    for heading in ("processes", "1x", f"{factor}x", "ratio"):
        table.add_column(heading, justify="right")
    small, large = figures.values()
    for name, before in small.items():
        table.add_row(name, f"{before / 2**20:,.0f}", f"{large[name] / 2**20:,.0f}", f"{large[name] / before:.3f}")
    Console().print(table)
    if json_to:
        json_to.write_text(json.dumps(figures, indent=2), encoding="utf-8")


@app.command()
def soak(
    minutes: Annotated[float, typer.Option(help="How long.")] = 20,
    citations: Annotated[int, typer.Option(help="Citations; the run is stopped when the time is over.")] = 60_000,
    model: Annotated[Path | None, typer.Option(help="Model folder; the embedded model without it.")] = None,
) -> None:
    """Memory of one run over time."""
    options = ["--model", str(model)] if model else []
    with tempfile.TemporaryDirectory(prefix="cytotag-memory-") as folder:
        corpus = Path(folder, "corpus")
        write_baseline(corpus, files=citations // FILE_CITATIONS, citations=FILE_CITATIONS, updates=0, seed=1)
        samples, _ = watch(_tag(corpus, Path(folder, "chunks"), options), limit_seconds=minutes * 60)
    print_by_minute(samples)


def print_by_minute(samples: MemorySamples) -> None:
    """The memory over time, and whether it grew."""
    end = samples.seconds[-1]
    table = Table(title="peak private memory of driver and workers")
    table.add_column("minutes")
    table.add_column("MiB", justify="right")
    step = max(60.0, end / 10)
    start = 0.0
    while start < end:
        peak = samples.peak_between(start, start + step) / 2**20
        table.add_row(f"{start / 60:.0f} to {min(end, start + step) / 60:.0f}", f"{peak:,.0f}")
        start += step
    Console().print(table)
    second, last = samples.peak_between(end / 4, end / 2), samples.peak_between(end * 3 / 4, end)
    Console().print(f"last quarter / second quarter: {last / second:.3f}")


if __name__ == "__main__":
    app()
