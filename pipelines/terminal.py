"""What a person sees of a run while it goes on."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from pipelines.corpora.counting import count_records
from pipelines.corpora.input_files import InputFile
from pipelines.outputs.counts import Counts
from pipelines.outputs.folder import read_note_files
from pipelines.outputs.formats import OUTPUT_FORMATS, OutputFormat
from pipelines.outputs.output_error import OutputError
from pipelines.storage import Location, StorePath

POLL_SECONDS = 0.5
"""How often the output folder is looked at for parts that were committed since."""
STORE_POLL_SECONDS = 5
"""The same in an object store, where each look is paid for."""
LOG_SECONDS = 60
"""How often a line says so where there is no terminal, such as in the log of a job."""
LOOKING_SHARE = 0.05
"""Of the time, at most, is spent on looking: a folder may hold a hundred thousand parts."""


def transient_progress(console: Console, *columns: ProgressColumn) -> Progress:
    """Progress that is gone in the end; where there is no terminal, not even the empty line that rich leaves."""
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def hashing_status(console: Console, files: Sequence[InputFile]) -> contextlib.AbstractContextManager[object]:
    """Shows that files are read to tell which version of them they are; nothing where none is."""
    if not files:
        return contextlib.nullcontext()
    size = sum(file.size for file in files)
    return console.status(f"reading {len(files):,} new files, {size / 1e6:,.0f} MB, to know them again")


@contextlib.contextmanager
def committed_parts(
    console: Console, folder: Location, output_format: OutputFormat, files: Sequence[InputFile]
) -> Iterator[None]:
    """Shows documents, documents/s and tokens/s as parts are committed, and the time left where the total is known.

    A run that resumes starts with the documents of `files` that are done; the rates are its own. Where there is no
    terminal it is a line every minute.
    """
    columns = [
        SpinnerColumn(),
        TextColumn("{task.completed:,} documents"),
        BarColumn(),
        TextColumn("{task.fields[rates]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    ]
    with transient_progress(console, *columns) as progress:
        module = OUTPUT_FORMATS[output_format]
        seen = set(module.note_files(folder))
        notes, paths = read_note_files(seen, output_format), {file.path for file in files}
        before = sum(one.records for note in notes for path, one in note.coverage.items() if path in paths)
        task = progress.add_task("", total=count_records(files), completed=before, rates="waiting for the first part")
        stop = threading.Event()

        def watch() -> None:
            done, took = Counts(), 0.0
            while not stop.wait(max(_pause(console, folder), took / LOOKING_SHARE)):
                began = time.monotonic()
                try:
                    new = set(module.note_files(folder)) - seen
                    counts = [done]
                    for note in read_note_files(new, output_format):
                        if stop.is_set():  # the run does not wait for a look at thousands of parts
                            return
                        counts.append(note.counts)
                    done = Counts.total(counts)
                except (OSError, OutputError):  # the run itself will say so; a store may answer next time
                    continue
                took = time.monotonic() - began
                seen.update(new)
                seconds = progress.tasks[task].elapsed or POLL_SECONDS
                if done.documents:
                    rates = f"{done.documents / seconds:,.0f} documents/s, {done.tokens / seconds:,.0f} tokens/s"
                    progress.update(task, completed=before + done.documents, rates=rates)
                    if not console.is_terminal:
                        console.print(f"{before + done.documents:,} documents, {rates}", soft_wrap=True)

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            stop.set()
            watcher.join()


def _pause(console: Console, folder: Location) -> float:
    if not console.is_terminal:
        return LOG_SECONDS
    return STORE_POLL_SECONDS if isinstance(folder, StorePath) else POLL_SECONDS


@contextlib.contextmanager
def converted_documents(console: Console, total: int | None) -> Iterator[Callable[[int], None]]:
    """Shows how many documents are converted, which what it gives is to be told; without a terminal, nothing."""
    columns = [
        SpinnerColumn(),
        TextColumn("{task.completed:,} documents"),
        BarColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    ]
    with transient_progress(console, *columns) as progress:
        task = progress.add_task("", total=total)
        yield lambda documents: progress.update(task, completed=documents)
