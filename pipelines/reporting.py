"""A dataset read once, for a report on the run that wrote it."""

import datetime
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from pipelines.chunk_statistics import ChunkStatistics, EntityStatistics, whole_documents
from pipelines.error_groups import ErrorGroup, group_errors
from pipelines.outputs.chunk_rows import row_groups
from pipelines.outputs.counts import Counts
from pipelines.outputs.coverage import Coverage
from pipelines.outputs.dataset import chunks_of_part
from pipelines.outputs.folder import NOTES_AT_ONCE, committed, read_errors_of, read_notes
from pipelines.outputs.formats import OutputFormat
from pipelines.outputs.lock import is_locked
from pipelines.outputs.manifest import Manifest
from pipelines.outputs.output_error import OutputError
from pipelines.outputs.part_note import PartNote, merge_coverage
from pipelines.run_times import Stretch, WrittenPart, stretches
from pipelines.storage import Location

Status = Literal["finished", "finished with errors", "running", "interrupted", "running or interrupted"]

OnProgress = Callable[[int, int], None]
"""Is told how many parts were read, and how many there are."""


@dataclass(frozen=True, kw_only=True)
class InputReport:
    """An input file.

    Attributes:
        path, format, size: As in the manifest.
        coverage: What was done of it; None where nothing was.
        refused: Why it was not read; None where it was.
    """

    path: str
    format: str
    size: int
    coverage: Coverage | None
    refused: str | None

    @property
    def errors(self) -> int:
        """Records of it that could not be tagged."""
        return self.coverage.errors if self.coverage else 0

    @property
    def done(self) -> bool:
        """Whether every record of it is in the dataset; what holds none has no part that says so."""
        return self.coverage is not None and self.coverage.complete


@dataclass(frozen=True, kw_only=True)
class RunReport:
    """What a report says.

    Attributes:
        folder: The dataset.
        made: When it was read, UTC.
        manifest: Of its last run.
        status: How far that got.
        parts: Committed parts.
        counts: Of the whole dataset.
        entities: The most frequent first.
        chunks_per_document: How many documents have so many chunks, by that number, those with an error left out.
        stretches: When it was tagged.
        untimed_parts: Parts whose times say nothing of that.
        last_part: When the last part was written, in seconds since 1970; None without one.
        errors: By reason.
        inputs: As in the manifest.
    """

    folder: str
    made: datetime.datetime
    manifest: Manifest
    status: Status
    parts: int
    counts: Counts
    entities: tuple[EntityStatistics, ...]
    chunks_per_document: Mapping[int, int]
    stretches: tuple[Stretch, ...]
    untimed_parts: int
    last_part: float | None
    errors: tuple[ErrorGroup, ...]
    inputs: tuple[InputReport, ...]

    @property
    def chunks(self) -> int:
        """Of all entities."""
        return sum(self.counts.chunks.values())


def report_on(folder: Location, on_progress: OnProgress) -> RunReport:
    """Reads a dataset, finished or not. In memory are some row groups, and a bounded number of texts, at most.

    Raises:
        OutputError: The folder holds no run, or a part is damaged, or two hold the same record.
    """
    try:
        return _report_on(folder, on_progress)
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be read ({error.strerror or error}); check its permissions, and that nobody changes it"
        ) from None


def _report_on(folder: Location, on_progress: OnProgress) -> RunReport:
    manifest = Manifest.read(folder)
    output_format: OutputFormat = manifest.settings["output_format"]
    status = _status(folder, manifest)  # before the notes: a run that ends meanwhile is not called interrupted
    files = committed(folder, output_format)
    with ThreadPoolExecutor(NOTES_AT_ONCE) as threads:  # from an object store each takes a round trip
        times = dict(zip(files, threads.map(_written, files.values()), strict=True))
    notes = {name: note for name, note in read_notes(folder, output_format).items() if name in times}
    statistics = ChunkStatistics()
    for rows in whole_documents(row_groups(_chunks(folder, output_format, notes, on_progress))):
        statistics.add(rows)
    counts = Counts.total(note.counts for note in notes.values())
    coverage = merge_coverage(notes.values())
    started = datetime.datetime.fromisoformat(manifest.started).timestamp()
    found, untimed = stretches(
        (WrittenPart(name, note.counts.documents, times[name]) for name, note in notes.items()),
        started,
        None if manifest.seconds is None else started + manifest.seconds,
    )
    errors = (read_errors_of(folder, name) for name, note in notes.items() if note.counts.errors)
    return RunReport(
        folder=str(folder),
        made=datetime.datetime.now(datetime.UTC),
        manifest=manifest,
        status=status,
        parts=len(notes),
        counts=counts,
        entities=statistics.entities(),
        chunks_per_document=with_empty_documents(statistics.chunks_per_document, counts),
        stretches=found,
        untimed_parts=untimed,
        last_part=max(times.values(), default=None),
        errors=group_errors(errors),
        inputs=tuple(_input(one, coverage.get(one["path"])) for one in manifest.inputs),
    )


def with_empty_documents(chunks_per_document: Mapping[int, int], counts: Counts) -> dict[int, int]:
    """The same numbers of documents, and before them those of documents with no chunk."""
    empty = counts.documents - counts.errors - sum(chunks_per_document.values())
    return {**({0: empty} if empty > 0 else {}), **chunks_per_document}


def _status(folder: Location, manifest: Manifest) -> Status:
    if manifest.state != "running":
        return manifest.state
    locked = is_locked(folder) if isinstance(folder, Path) else None
    return "running or interrupted" if locked is None else "running" if locked else "interrupted"


def _written(path: Location) -> float:
    """When a file was written, in seconds since 1970."""
    return path.stat().st_mtime if isinstance(path, Path) else (path.info().mtime_ns or 0) / 1e9


def _chunks(
    folder: Location, output_format: OutputFormat, notes: Mapping[str, PartNote], on_progress: OnProgress
) -> Iterator[pa.Table]:
    for done, name in enumerate(notes):
        on_progress(done, len(notes))
        yield from chunks_of_part(folder, output_format, name)


def _input(entry: Mapping[str, Any], coverage: Coverage | None) -> InputReport:
    return InputReport(
        path=entry["path"],
        format=entry["format"],
        size=entry["size"],
        coverage=coverage,
        refused=entry.get("error"),
    )
