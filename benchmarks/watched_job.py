"""A `cytotag tag` run whose processes are watched: what CPU time and memory each kind of them takes.

`python -m benchmarks.watched_job --help` is the run itself, which `watch_job` starts and watches. Linux, with psutil.
"""

import contextlib
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, NamedTuple

import psutil
import typer

from actors.model_files import ModelFiles
from benchmarks.corpus import Corpus
from benchmarks.measurement import REPOSITORY
from benchmarks.memory import SAMPLE_SECONDS, TOGETHER, MemorySamples

MODEL, TASKS, DRIVER, RAYS_OWN = "model actors", "tasks", "driver", "Ray's own"

CPU_SAMPLE_SECONDS = 0.2
"""What a process takes after its last sample is not counted: a tick of its end."""


class JobNumbers(NamedTuple):
    """What a run says of itself. `tagging_seconds` is without the start of Ray; `model_seconds` by the clock."""

    documents: int
    pieces: int
    tagging_seconds: float
    model_seconds: float


@dataclass(frozen=True, kw_only=True)
class WatchedJob:
    """One run.

    Attributes:
        numbers: What it says of itself.
        cpu_seconds: Of its processes, by kind.
        peak_memory: The most private memory of driver and workers together, bytes.
    """

    numbers: JobNumbers
    cpu_seconds: Mapping[str, float]
    peak_memory: int


@dataclass
class CpuSamples:
    """CPU seconds of processes, each as last seen, with those that have ended since."""

    _seen: dict[tuple[int, float], tuple[str, float]] = field(default_factory=dict)

    def take(self, driver: psutil.Process) -> None:
        """One sample of the driver and of all the processes that it started."""
        for process in [driver, *driver.children(recursive=True)]:
            with contextlib.suppress(psutil.Error):  # it ended since
                with process.oneshot():
                    times, born = process.cpu_times(), process.create_time()
                    kind = DRIVER if process.pid == driver.pid else kind_of(" ".join(process.cmdline()))
                self.note(process.pid, born, kind, times.user + times.system)

    def note(self, pid: int, born: float, kind: str, seconds: float) -> None:
        """What one process took so far. One that once held the model is a model actor, whatever its title is now."""
        known = self._seen.get((pid, born))
        self._seen[pid, born] = (MODEL if known and known[0] == MODEL else kind, seconds)

    def by_kind(self) -> dict[str, float]:
        """The sums."""
        sums: Counter[str] = Counter()
        for kind, seconds in self._seen.values():
            sums[kind] += seconds
        return dict(sums)


def kind_of(title: str) -> str:
    """What a process that a run started is, by its title: Ray gives its workers that of what they do."""
    if not title.startswith("ray::"):
        return RAYS_OWN
    return MODEL if "TokenClassifier" in title else TASKS


def watch_job(corpus: Corpus, model: Path, *, actors: int, scratch: Path) -> WatchedJob:
    """Runs a job with actors of a thread each, and watches it.

    Raises:
        RuntimeError: It failed.
    """
    numbers, log = scratch / "job.json", scratch / "job.log"
    command = [sys.executable, "-m", "benchmarks.watched_job", "--corpus", str(corpus.folder), "--model", str(model)]
    command += ["--actors", str(actors), "--output", str(numbers)]
    cpu, memory = CpuSamples(), MemorySamples()
    began = last = time.monotonic()
    with (
        log.open("wb") as said,
        subprocess.Popen(command, cwd=REPOSITORY, stdout=said, stderr=said) as job,  # noqa: S603  # our own command
    ):
        driver = psutil.Process(job.pid)
        while job.poll() is None:
            with contextlib.suppress(psutil.NoSuchProcess):
                cpu.take(driver)
                if time.monotonic() - last >= SAMPLE_SECONDS:
                    last = time.monotonic()
                    memory.take(job.pid, last - began)
            time.sleep(CPU_SAMPLE_SECONDS)
    if job.returncode:
        said = log.read_text(encoding="utf-8", errors="replace")[-2000:]
        raise RuntimeError(f"{' '.join(command)} ended with {job.returncode}: {said}")
    return WatchedJob(
        numbers=JobNumbers(**json.loads(numbers.read_text(encoding="utf-8"))),
        cpu_seconds=cpu.by_kind(),
        peak_memory=memory.peaks()[TOGETHER],
    )


def main(
    corpus: Annotated[Path, typer.Option(help="Folder with documents.jsonl.", show_default=False)],
    model: Annotated[Path, typer.Option(help="Model folder.", show_default=False)],
    actors: Annotated[int, typer.Option(help="Actors, of a thread each.", show_default=False)],
    output: Annotated[Path, typer.Option(help="File for what the run says of itself, JSON.", show_default=False)],
) -> None:
    """Run a job."""
    from pipelines.job import TagJob, run  # Ray, which who only watches does not need
    from pipelines.stages.ner_converter import NerConverter

    files = ModelFiles.from_pretrained(model)
    job = TagJob(
        inputs=[str(Corpus(folder=corpus).documents)],
        output=output.with_suffix(".chunks"),
        model=files,
        ner_converter=NerConverter(labels=files.labels, policy=files.tag_policy),
        actors=str(actors),
        mode="overwrite",
    )
    summary = run(job, lambda _: nullcontext(), lambda _: nullcontext())
    counts = summary.counts
    numbers = JobNumbers(counts.documents, counts.pieces, summary.tagging_seconds, counts.model_seconds)
    output.write_text(json.dumps(numbers._asdict()), encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
