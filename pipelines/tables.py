"""Tables of what came out, as a terminal shows them. What they are made of is known by its type alone."""

import unicodedata
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from pipelines.schema import DELETED, SUPERSEDED

if TYPE_CHECKING:  # one text needs none of these
    from pipelines.exports.conversion import Conversion
    from pipelines.exports.formats import ExportFormat
    from pipelines.outputs.compaction import Size
    from pipelines.outputs.counts import Counts
    from pipelines.verdict import Verdict


def literal(text: str) -> Text:
    r"""Text from outside, as it stands: brackets are no markup, and control characters are shown (`\x1b`), not sent."""
    shown = (repr(c)[1:-1] if unicodedata.category(c) in ("Cc", "Cf") else c for c in text)
    return Text("".join(shown))


def chunk_table(chunks: Iterable[Mapping[str, Any]], *, with_document: bool = False) -> Table:
    """A table of chunks, a row each."""
    table = Table()
    if with_document:
        table.add_column("document")
    for heading in ("start", "end", "entity", "score"):
        table.add_column(heading, justify="left" if heading == "entity" else "right")
    table.add_column("text", overflow="fold")
    for chunk in chunks:
        document = [literal(chunk["document_id"])] if with_document else []
        offsets, score = (str(chunk["start"]), str(chunk["end"])), f"{chunk['score']:.3f}"
        table.add_row(*document, *offsets, literal(chunk["entity"]), score, literal(chunk["text"]))
    return table


def verdict_table(verdict: "Verdict") -> Table:
    """What was asked of a dataset, and what came out."""
    table = Table()
    for heading in ("check", "looked at", "verdict"):
        table.add_column(heading, justify="right" if heading == "looked at" else "left")
    for check in verdict.checks:
        table.add_row(check.name, check.looked_at, f"{check.problems:,} wrong" if check.problems else "true")
    return table


def compaction_table(before: "Size", after: "Size") -> Table:
    """What `compact` did."""
    table = Table(show_header=True, box=None, padding=(0, 2, 0, 0))
    for heading in ("", "before", "after"):
        table.add_column(heading, justify="right" if heading else "left")
    table.add_row("parts", f"{before.parts:,}", f"{after.parts:,}")
    table.add_row("bytes", f"{before.bytes:,}", f"{after.bytes:,}")
    return table


def summary_table(counts: "Counts", *, seconds: float, tagging_seconds: float) -> Table:
    """The closing summary of a run."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column(justify="right")
    rows = [
        ("documents", f"{counts.documents:,}"),
        ("sentences", f"{counts.sentences:,}"),
        ("tokens", f"{counts.tokens:,}"),
        ("chunks", f"{sum(counts.chunks.values()):,}"),
        *((f"  {entity}", f"{number:,}") for entity, number in counts.chunks.items()),
        ("errors", f"{counts.errors:,}"),
        *((name, f"{number:,}") for name in ("truncated", SUPERSEDED, DELETED) if (number := getattr(counts, name))),
        ("seconds", f"{seconds:,.1f}"),
        ("documents/s", f"{counts.documents / tagging_seconds:,.1f}" if tagging_seconds else "-"),
    ]
    for name, value in rows:
        table.add_row(literal(name), value)
    return table


def conversion_table(conversion: "Conversion", to: "ExportFormat") -> Table:
    """The closing summary of a conversion."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column(justify="right")
    for name, count in (
        ("documents", conversion.documents),
        ("chunks", conversion.chunks),
        ("files", conversion.files),
        ("errors, with their reasons" if to == "documents" else "errors, left out", conversion.errors),
    ):
        table.add_row(name, f"{count:,}")
    return table
