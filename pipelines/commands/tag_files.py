"""`cytotag tag` with files: the job, what a person sees of it, and its exit code."""

import itertools
import json

import typer
from rich.console import Console

from pipelines.commands.exit_codes import FINISHED_WITH_ERRORS, NOTHING_DONE
from pipelines.config import RunStoppedError
from pipelines.job import RunSummary, TagJob, run
from pipelines.outputs.folder import read_errors
from pipelines.storage import Location
from pipelines.tables import summary_table
from pipelines.terminal import committed_parts, hashing_status

ERRORS_SHOWN = 5
HASHING_WORTH_A_LINE = 1.0
"""Seconds."""


def tag_files(job: TagJob) -> None:
    """Runs a job, and ends the program with its exit code."""
    console = Console(stderr=True, markup=False, emoji=False)  # paths may have brackets
    try:
        summary = run(
            job,
            hashing=lambda files: hashing_status(console, files),
            progress=lambda files: committed_parts(console, job.output, job.output_format, files),
        )
    except KeyboardInterrupt:
        raise RunStoppedError(f"{job.output}: stopped; what was committed stays, --resume goes on from there") from None
    console.print(summary_table(summary.counts, seconds=summary.seconds, tagging_seconds=summary.tagging_seconds))
    if summary.before.documents:
        console.print(f"{summary.before.documents:,} documents were there before")
    if summary.hashing_seconds >= HASHING_WORTH_A_LINE:
        rate = summary.hashed_bytes / summary.hashing_seconds / 1e6
        console.print(f"input files told apart in {summary.hashing_seconds:,.1f} s ({rate:,.0f} MB/s)")
    console.print(f"dataset: {job.output}", soft_wrap=True)
    report_errors(console, job.output, summary)


def report_errors(console: Console, output: Location, summary: RunSummary) -> None:
    """Shows the first that was set aside, and ends the program where that is more than a bad record."""
    counts, refused = summary.counts, len(summary.refused)
    if not counts.errors and not refused:
        return
    for line in itertools.islice(read_errors(output), ERRORS_SHOWN):
        error = json.loads(line)
        console.print(f"error: {error['source']}: {error['error']}", soft_wrap=True, markup=False, highlight=False)
    console.print(f"set aside, each with its reason in {output}/_errors: {counts.errors + refused:,}", soft_wrap=True)
    if counts.errors == counts.documents and (counts.documents or not summary.before.documents):
        raise typer.Exit(NOTHING_DONE)
    if counts.broken_files or refused:
        raise typer.Exit(FINISHED_WITH_ERRORS)
