"""What the speed suite measures, and how: sides that take turns, each in a process of its own, and their ratios.

A side is a command. It gets `--output FILE` and writes its `Turn` there, as JSON. Machines are noisy, so only what was
measured in the same turn is compared, and a ratio is the median over the turns, with the lowest and the highest.
"""

import hashlib
import json
import math
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

import psutil

if TYPE_CHECKING:  # a rival that writes its Turn loads nothing of ours
    from benchmarks.corpus import Corpus

REPOSITORY = Path(__file__).resolve().parent.parent
LAST_WORDS = 15
"""Lines of what a side said that its error repeats."""


class ChunkRow(NamedTuple):
    """A chunk, with offsets into its document; a line of a file of chunks has these names."""

    document_id: str
    start: int
    end: int
    entity: str


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One run of one side.

    Attributes:
        seconds: Of the work, without start-up; 0 or less where it is a difference of two runs that noise swallowed.
        documents: That were tagged in that time.
        pieces: Word pieces that the model read, special tokens with them.
        chunks: That were found; None for a side that finds none.
        digest: Of the chunks (`digest_of`).
        cpu_seconds: CPU time of the work, of all processes; None where it was not measured.
        peak_rss: Bytes, the most that the process held; None where it was not measured.
        start_seconds: From the start of the process until it was ready to work.
    """

    seconds: float
    documents: int
    pieces: int
    start_seconds: float
    chunks: int | None = None
    digest: str | None = None
    cpu_seconds: float | None = None
    peak_rss: int | None = None

    @property
    def rate(self) -> float:
        """Documents/s; nan where the time was too short to measure."""
        return self.documents / self.seconds if self.seconds > 0 else math.nan

    def write(self, path: Path) -> None:
        """Writes it as a JSON object."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Self:
        """What `write` wrote."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """The rate of one side over that of another: median, lowest and highest of the turns; nan if unknown."""

    median: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, ours: Sequence[Turn], theirs: Sequence[Turn]) -> Self:
        """Of as many turns of each, in their order."""
        return cls.over([mine.rate / other.rate for mine, other in zip(ours, theirs, strict=True)])

    @classmethod
    def over(cls, ratios: Sequence[float]) -> Self:
        """Of one number a turn; those that are nan do not count."""
        known = [ratio for ratio in ratios if not math.isnan(ratio)] or [math.nan]
        return cls(median=statistics.median(known), lowest=min(known), highest=max(known))


@dataclass(frozen=True, kw_only=True)
class BenchModel:
    """One model in the forms that the sides read: the same weights in each, but for what int8 costs.

    Attributes:
        name: What the table calls it.
        int8: Model folder of cytotag, quantized.
        float32: Model folder of cytotag, floats.
        weights: Folder of transformers: config, tokenizer, safetensors; the numbers of `float32`.
        corpus: The abstracts, once; fewer for a slow model.
        copies: How often the long run of a job reads the corpus: more for a fast model.
    """

    name: str
    int8: Path
    float32: Path
    weights: Path
    corpus: "Corpus"
    copies: int


@dataclass(frozen=True, kw_only=True)
class RowContext:
    """What a row gets.

    Attributes:
        models: The embedded one, and BERT-base.
        threads: Of the model, and cores that a side may keep busy.
        turns: How often each side is run.
        smoke: Whether only to see that it works: a dozen abstracts, tiny models.
        scratch: A folder for whatever a row writes.
        say: Told of each step, in a few words.
    """

    models: Sequence[BenchModel]
    threads: int
    turns: int
    smoke: bool
    scratch: Path
    say: Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class RowResult:
    """A row of the table.

    Attributes:
        name: What is compared.
        ours: The measure of our side, in `unit`, the median of the turns.
        theirs: That of the other side.
        unit: Such as "documents/s".
        ratio: Ours over theirs, the median of the turns.
        lowest: Of the turns.
        highest: Of the turns.
        goal: What the ratio should be at least, or at most if `goal_is_most`; None where it is only reported.
        goal_is_most: The goal is a bound from above.
        equal_chunks: Whether both sides found the same chunks; None where there is nothing to compare.
        note: What else a reader has to know.
        sides: The turns of each, where they are turns.
    """

    name: str
    ours: float
    theirs: float
    unit: str
    ratio: float
    lowest: float
    highest: float
    goal: float | None = None
    goal_is_most: bool = False
    equal_chunks: bool | None = None
    note: str = ""
    sides: Mapping[str, Sequence[Turn]] = field(default_factory=dict)

    def attained(self, ratio: float) -> float:
        """How far a ratio comes: 1 is the goal, more is better; nan without a goal or a ratio."""
        if self.goal is None:
            return math.nan
        if self.goal_is_most:
            return math.inf if ratio <= 0 else self.goal / ratio
        return ratio / self.goal

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None without one, or where nothing could be measured."""
        attained = self.attained(self.ratio)
        return None if math.isnan(attained) else attained >= 1


Row = Callable[[RowContext], list[RowResult]]


def rate_row(
    name: str, ours: Sequence[Turn], theirs: Sequence[Turn], *, goal: float | None, note: str = ""
) -> RowResult:
    """The row of two sides that tagged the same documents in the same turns."""
    ratio = Ratio.of(ours, theirs)
    digests = {turn.digest for turn in (*ours, *theirs)}
    return RowResult(
        name=name,
        ours=statistics.median(turn.rate for turn in ours),
        theirs=statistics.median(turn.rate for turn in theirs),
        unit="documents/s",
        ratio=ratio.median,
        lowest=ratio.lowest,
        highest=ratio.highest,
        goal=goal,
        equal_chunks=None if None in digests else len(digests) == 1,
        note=note,
        sides={"ours": ours, "theirs": theirs},
    )


def in_turns(
    sides: Mapping[str, Sequence[str]], turns: int, scratch: Path, say: Callable[[str], None]
) -> dict[str, list[Turn]]:
    """Runs the sides one after the other, A B A B and so on, each time in a new process.

    Args:
        sides: The command of each; `python -m` is put before it, and `--output FILE` behind it.
        turns: How often.
        scratch: What the sides say goes to a file there.
        say: Told of each run.

    Raises:
        RuntimeError: A side failed; the message has the end of what it said.
    """
    taken: dict[str, list[Turn]] = {name: [] for name in sides}
    for turn in range(1, turns + 1):
        for name, command in sides.items():
            output, log = scratch / "turn.json", scratch / "said.log"
            with log.open("wb") as said:
                ended = subprocess.run(  # noqa: S603  # our own command
                    [sys.executable, "-m", *command, "--output", str(output)],
                    cwd=REPOSITORY,
                    env=os.environ | {"TYPER_STANDARD_TRACEBACK": "1"},  # so that the last lines say what is wrong
                    stdout=said,
                    stderr=subprocess.STDOUT,
                    check=False,
                )
            if ended.returncode:
                lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_WORDS:]
                raise RuntimeError("\n".join([f"{name} ended with {ended.returncode}: {' '.join(command)}", *lines]))
            taken[name].append(Turn.read(output))
            output.unlink()
            say(f"turn {turn} of {turns}, {name}: {taken[name][-1].rate:,.2f} documents/s")
    return taken


def digest_of(chunks: Iterable[ChunkRow]) -> str:
    """The SHA-256 of the chunks, sorted: equal for equal chunks, whatever their order."""
    digest = hashlib.sha256()
    for row in sorted(chunks):
        digest.update(json.dumps(row).encode() + b"\n")
    return digest.hexdigest()


def write_chunks(path: Path, chunks: Iterable[ChunkRow]) -> None:
    """Writes a JSON line a chunk."""
    with path.open("w", encoding="utf-8") as lines:
        lines.writelines(json.dumps(row._asdict()) + "\n" for row in chunks)


def read_chunks(path: Path) -> Iterator[ChunkRow]:
    """What `write_chunks` wrote."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield ChunkRow(**json.loads(line))


def seconds_since_start() -> float:
    """Since this process was started, the start of the interpreter and its imports with it."""
    return time.time() - psutil.Process().create_time()


def peak_rss() -> int:
    """The most memory that this process held so far, bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # kilobytes, on Linux
