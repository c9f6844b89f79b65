"""What a user waits for before the first chunk, and what the time goes into.

`python -m benchmarks.start_up` prints both for `cytotag tag --text`. Everything is run several times, in turns, and the
least of each number is taken: what is above it is other work on the machine. On a busy one read the CPU seconds.
"""

import contextlib
import json
import math
import os
import pty
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from rich.console import Console
from rich.table import Table

from actors.model_files import EMBEDDED_MODEL
from benchmarks.measurement import REPOSITORY
from benchmarks.start_timeline import SPAWNED
from pipelines.outputs.part_note import PART_PATTERN

TEXT = "IL-2 mRNA in Jurkat cells"
LOOK_AGAIN_SECONDS = 0.02
OURS, STANDARD = "cytotag", "standard library"
MARK = "import time:"


class Start(NamedTuple):
    """Of one run: seconds until what was waited for, and to its end; CPU seconds of it and of what it waited for."""

    first: float
    end: float
    cpu: float


def tag_text(model: Path) -> list[str]:
    """The command that tags one text, but for `python`."""
    return ["-m", "pipelines", "tag", "--text", TEXT, "--model", str(model)]


def first_output(command: Sequence[str]) -> Start:
    """Runs Python with these arguments until its end; what is waited for is its first output, on a terminal.

    On a pipe Python would keep it back until the end.

    Raises:
        RuntimeError: It failed, or printed nothing.
    """
    master, slave = pty.openpty()
    before, began = os.times(), time.monotonic()
    first, said = None, b""
    environment = {**os.environ, SPAWNED: repr(began)}
    with subprocess.Popen(  # noqa: S603  # our own command
        [sys.executable, *command], cwd=REPOSITORY, env=environment, stdout=slave, stderr=slave
    ) as run:
        os.close(slave)
        with contextlib.suppress(OSError):  # what Linux says when the other side is closed
            while read := os.read(master, 1 << 16):
                first = first or time.monotonic() - began
                said += read
    ended, after = time.monotonic() - began, os.times()
    os.close(master)
    if run.returncode or first is None:
        raise RuntimeError(f"{' '.join(command)} ended with {run.returncode}: {said.decode(errors='replace')}")
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Start(first, ended, cpu)


def first_part(command: Sequence[str], output: Path) -> Start:
    """Runs Python with these arguments until its end; what is waited for is the first part in the output folder.

    Raises:
        RuntimeError: It failed, or wrote no part.
    """
    before, began, first = os.times(), time.monotonic(), None
    with subprocess.Popen(  # noqa: S603  # our own command
        [sys.executable, *command], cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as run:
        while run.poll() is None:
            if first is None and any(output.glob(f"{PART_PATTERN}.parquet")):
                first = time.monotonic() - began
            time.sleep(LOOK_AGAIN_SECONDS)
        said = run.stdout.read() if run.stdout else b""
    ended, after = time.monotonic() - began, os.times()
    if run.returncode or first is None:
        raise RuntimeError(f"{' '.join(command)} ended with {run.returncode}: {said.decode(errors='replace')}")
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Start(first, ended, cpu)


def parts(arguments: Sequence[str]) -> dict[str, list[float]]:
    """Seconds and CPU seconds of each part of one run of the command line (`benchmarks.start_timeline`).

    Raises:
        RuntimeError: It failed.
    """
    with tempfile.TemporaryDirectory(prefix="cytotag-start-") as folder:
        written = Path(folder, "parts.json")
        start = first_output(["-m", "benchmarks.start_timeline", str(written), *arguments])
        found: dict[str, list[float]] = json.loads(written.read_text(encoding="utf-8"))
    known = [math.fsum(numbers) for numbers in zip(*found.values(), strict=True)]
    return {**found, "end": [start.end - known[0], start.cpu - known[1]]}


def least(runs: Sequence[Mapping[str, Sequence[float]]]) -> dict[str, list[float]]:
    """Of each part of several runs, the least of each of its numbers; in the order of the first run."""
    return {name: [min(numbers) for numbers in zip(*(run[name] for run in runs), strict=True)] for name in runs[0]}


class Import(NamedTuple):
    """A module: how deep in the imports of others, and its own seconds, without what it imports."""

    depth: int
    module: str
    seconds: float


def parse_imports(lines: Iterable[str]) -> list[Import]:
    """What `-X importtime` writes, in its order: a module after all that it imports."""
    found = []
    for line in lines:
        if line.startswith(MARK) and (numbers := re.fullmatch(r"\s*(\d+) \|\s*\d+ \|( +)(\S+)\s*", line[len(MARK) :])):
            own, indent, module = numbers.groups()
            found.append(Import((len(indent) - 1) // 2, module, int(own) / 1e6))
    return found


def by_package(imports: Sequence[Import]) -> dict[str, float]:
    """Seconds of each package, most first.

    What the standard library takes counts to the package that wanted it first, since it would go with that.
    """
    took: Counter[str] = Counter()
    above: list[str] = []  # the package at each depth
    for one in reversed(imports):  # a module before all that it imports
        package = _package(one.module)
        if package == STANDARD and one.depth:
            package = above[min(one.depth, len(above)) - 1]
        above[one.depth :] = [package]
        took[package] += one.seconds
    return dict(took.most_common())


def _package(module: str) -> str:
    name = module.partition(".")[0]
    if name in ("pipelines", "actors", "benchmarks"):
        return OURS
    return STANDARD if name in sys.stdlib_module_names or name.startswith(("_", "encodings")) else name


def imports(command: Sequence[str], repeats: int) -> dict[str, float]:
    """Seconds of the imports of a command by package: the least of each module of several runs."""
    runs = []
    for _ in range(repeats):
        done = subprocess.run(  # noqa: S603  # our own command
            [sys.executable, "-X", "importtime", *command], cwd=REPOSITORY, capture_output=True, text=True, check=True
        )
        runs.append(parse_imports(done.stderr.splitlines()))
    seconds = [{one.module: one.seconds for one in run} for run in runs]
    return by_package(
        [one._replace(seconds=min(run.get(one.module, one.seconds) for run in seconds)) for one in runs[0]]
    )


def main(
    model: Annotated[Path, typer.Option(help="Model folder.")] = EMBEDDED_MODEL,
    repeats: Annotated[int, typer.Option(help="How often each is run.")] = 5,
) -> None:
    """Print what `cytotag tag --text` takes until its first chunk, its parts, and its imports by package."""
    floor = ["-m", "benchmarks.least_start", "text", str(model), TEXT]
    taken = [(first_output(tag_text(model)), first_output(floor)) for _ in range(repeats)]
    console = Console()
    table = Table("", "first output, s", "end, s", "CPU, s", title=f"least of {repeats}")
    for name, starts in zip(("cytotag tag --text", "the least it could be"), zip(*taken, strict=True), strict=True):
        table.add_row(name, *(f"{min(numbers):.2f}" for numbers in zip(*starts, strict=True)))
    console.print(table)
    found = least([parts(tag_text(model)[2:]) for _ in range(repeats)])
    print_shares(console, "part", {name: (clock, cpu) for name, (clock, cpu) in found.items()})
    by_name = imports(tag_text(model), repeats)
    print_shares(console, "imports, by package", {name: (seconds, seconds) for name, seconds in by_name.items()})


def print_shares(console: Console, heading: str, found: Mapping[str, tuple[float, float]]) -> None:
    """A table of seconds by the clock and of CPU, and the share of the latter."""
    table = Table(heading, "s", "CPU, s", "share of CPU")
    all_cpu = sum(cpu for _, cpu in found.values())
    for name, (clock, cpu) in found.items():
        if cpu >= all_cpu / 200:
            table.add_row(name, f"{clock:.3f}", f"{cpu:.3f}", f"{cpu / all_cpu:.1%}")
    console.print(table)


if __name__ == "__main__":
    typer.run(main)
