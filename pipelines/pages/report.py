"""The report on a run as a page: what `report.html` shows, in words and numbers."""

import datetime
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from pipelines.pages.page import COLOURED, render
from pipelines.pages.report_plots import (
    ENTITIES_SHOWN,
    STRETCHES_SHOWN,
    chunks_plot,
    duration,
    entity_plot,
    rate_plot,
    score_plot,
)
from pipelines.reporting import InputReport, RunReport
from pipelines.run_times import pauses

FILES_SHOWN = 10
REASONS_SHOWN = 20

_HEADLINES = {
    "finished": "Finished.",
    "finished with errors": "Finished, with errors.",
    "running": "Still going.",
    "interrupted": "Interrupted.",
    "running or interrupted": "Not finished.",
}
_GO_ON = "cytotag tag ... --resume goes on from there"


@dataclass(frozen=True, kw_only=True)
class Plot:
    """A plot, its heading and what must be said below it."""

    heading: str
    svg: Markup
    caption: str = ""


def report_page(report: RunReport) -> str:
    """The page, one HTML file that stands alone."""
    refused = [one for one in report.inputs if one.refused is not None]
    variables = {one.entity: one.entity if one.entity in COLOURED else "other" for one in report.entities}
    before = ["" if pause is None else duration(pause) for pause in [None, *pauses(report.stretches)]]
    return render(
        "report.html",
        report=report,
        headline=_HEADLINES[report.status],
        explanation=_explanation(report),
        problem=report.status != "finished",
        figures=_figures(report, len(refused)),
        plots=_plots(report),
        entities_shown=ENTITIES_SHOWN,
        reasons_shown=REASONS_SHOWN,
        files_shown=FILES_SHOWN,
        stretches_shown=STRETCHES_SHOWN,
        variables=variables,
        refused=refused,
        inputs_line=_inputs_line(report.inputs, len(refused)),
        file_tables=_file_tables(report.inputs),
        reading=_reading,
        stretches=list(zip(report.stretches, before, strict=False))[-STRETCHES_SHOWN:],
        untimed=_untimed(report),
        clock=_clock,
        facts=_facts(report),
        made=_clock(report.made.timestamp()),
    )


def _explanation(report: RunReport) -> str:
    last = f"the last part was written {_clock(report.last_part)} UTC" if report.last_part else "nothing is committed"
    if report.status == "running":
        return f"A run is writing this folder; {last}. What follows is what was committed so far."
    if report.status == "interrupted":
        return f"No run is writing this folder now; {last}. What was committed stays, {_GO_ON}."
    if report.status == "running or interrupted":
        return f"Whether a run is writing this folder cannot be told from here; {last}. If none is, {_GO_ON}."
    refused = sum(one.refused is not None for one in report.inputs)
    bad = [(report.counts.errors, "records could not be tagged"), (refused, "input files were not read")]
    lines = "".join(f" {what.capitalize()}: {number:,}." for number, what in bad if number)
    began, took = _clock(_started(report)), duration(report.manifest.seconds or 0)
    return f"The last run began {began} UTC and took {took}.{lines}"


def _figures(report: RunReport, refused: int) -> list[tuple[str, str, bool]]:
    """Name, value, and whether it is bad news."""
    counts = report.counts
    rate = report.stretches[-1].rate if report.stretches else None
    rated = "documents/s" if len(report.stretches) == 1 else "documents/s, last"
    return [
        ("documents", f"{counts.documents:,}", False),
        ("entities", f"{report.chunks:,}", False),
        ("errors", f"{counts.errors:,}", counts.errors > 0),
        *([("files not read", f"{refused:,}", True)] if refused else []),
        *([(rated, f"{rate:,.1f}", False)] if rate is not None else []),
        ("sentences", f"{counts.sentences:,}", False),
        ("words", f"{counts.tokens:,}", False),
        *((name, f"{one:,}", False) for name in ("superseded", "deleted") if (one := getattr(counts, name))),
    ]


def _plots(report: RunReport) -> list[Plot]:
    plots = []
    if report.entities:
        hidden = len(report.entities) - ENTITIES_SHOWN
        more = f"{hidden:,} rarer ones are not shown." if hidden > 0 else ""
        plots.append(Plot(heading="Entities by type", svg=entity_plot(report.entities), caption=more))
        caption = "Each as high as its highest bar, whatever their number. A score is the mean of its words'."
        plots.append(Plot(heading="Scores by type", svg=score_plot(report.entities), caption=caption))
    if report.chunks_per_document:
        caption = _per_document(report)
        svg = chunks_plot(report.chunks_per_document)
        plots.append(Plot(heading="Entities per document", svg=svg, caption=caption))
    if any(one.rates for one in report.stretches):
        caption = "By the times at which parts were written, from the first on."
        plots.append(Plot(heading="Documents/s over time", svg=rate_plot(report.stretches), caption=caption))
    return plots


def _per_document(report: RunReport) -> str:
    numbers = report.chunks_per_document
    documents = sum(numbers.values())
    mean = sum(number * count for number, count in numbers.items()) / documents
    empty = numbers.get(0, 0)
    return f"{mean:,.1f} on average, {max(numbers):,} at most; {empty:,} of {documents:,} documents have none."


def _inputs_line(inputs: Sequence[InputReport], refused: int) -> str:
    done = sum(one.done for one in inputs)
    broken = sum(one.coverage is not None and one.coverage.broken for one in inputs)
    size = sum(one.size for one in inputs) / 1e6
    return (
        f"{len(inputs):,} files, {size:,.1f} MB: {done - broken:,} read to the end, {broken:,} broken off, "
        f"{refused:,} not read at all, {len(inputs) - done - refused:,} not done or without records. How long each "
        f"took is not recorded."
    )


def _file_tables(inputs: Sequence[InputReport]) -> list[tuple[str, list[InputReport]]]:
    """Captions, and the files below them."""
    with_errors = sorted((one for one in inputs if one.errors), key=lambda one: -one.errors)[:FILES_SHOWN]
    largest = sorted(inputs, key=lambda one: -one.size)[:FILES_SHOWN]
    tables = [("With the most errors", with_errors), ("The largest", largest)]
    return [(caption, files) for caption, files in tables if files]


def _reading(one: InputReport) -> str:
    """How far a file was read."""
    if one.refused is not None:
        return "not at all"
    if one.coverage is not None and one.coverage.broken:
        return "broken off"
    if one.done:
        return "to the end"
    return "in part" if one.coverage is not None else "not yet, or no records"


def _untimed(report: RunReport) -> str:
    if not report.untimed_parts:
        return ""
    return (
        f"When the records of {report.untimed_parts:,} of {report.parts:,} parts were tagged is not known: the parts "
        f"were written again since (merged, rewritten by an update, or copied)."
    )


def _facts(report: RunReport) -> list[tuple[str, str]]:
    held, counts = report.manifest, report.counts
    pace = f", {counts.pieces / counts.model_seconds:,.0f} word pieces/s" if counts.model_seconds else ""
    return [
        ("command", shlex.join(held.command)),
        ("model", str(held.model["folder"])),
        ("SHA-256", str(held.model["sha256"])),
        ("begun", f"{_clock(_started(report))} UTC"),
        ("took", duration(held.seconds) if held.seconds is not None else "not finished"),
        ("model's work", f"{counts.windows:,} windows, {counts.pieces:,} word pieces; {counts.padding:,} more computed "
         f"to fill up batches; {duration(counts.model_seconds)} in all actors together{pace}"),
        ("dataset", f"{held.settings['output_format']}, {report.parts:,} parts"),
        *((name.replace("_", " "), _setting(one)) for name, one in held.settings.items() if name != "output_format"),
        ("versions", ", ".join(f"{name} {version}" for name, version in held.versions.items())),
    ]  # fmt: skip


def _setting(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {one}" for name, one in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)


def _started(report: RunReport) -> float:
    return datetime.datetime.fromisoformat(report.manifest.started).timestamp()


def _clock(seconds: float) -> str:
    """A time, in seconds since 1970, as people write it, UTC."""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S")
