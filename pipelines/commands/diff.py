"""`cytotag diff`: what differs between two datasets, and why?"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipelines.commands.exit_codes import DIFFERENT
from pipelines.storage import location
from pipelines.tables import literal
from pipelines.terminal import transient_progress

if TYPE_CHECKING:
    from pipelines.comparing.comparison import Comparison, Found

SHOWN = 20
HEADINGS = {"boundaries and entity": "both"}
KINDS = ("only in A", "only in B", "boundaries", "entity", "boundaries and entity", "score")


def diff(
    a: Annotated[str, typer.Argument(metavar="DIR_A", help="Chunk dataset written by `cytotag tag`.")],
    b: Annotated[str, typer.Argument(metavar="DIR_B", help="Another.")],
    explain: Annotated[
        bool,
        typer.Option(
            "--explain",
            help="Tag the documents that differ again, from A's settings to B's one change at a time: the cause of a "
            "difference is the change that makes it. Wants the models and the input files.",
        ),
    ] = False,
    show_all: Annotated[
        bool, typer.Option("--all", help=f"Print all differences, not the first {SHOWN}, and those of scores alone.")
    ] = False,
    json_file: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="Write all differences to a file, a JSON object a line."),
    ] = None,
    tolerance: Annotated[
        float, typer.Option(min=0, help="The most by which a score may differ and still be equal.")
    ] = 1e-4,
) -> None:
    """Say which chunks differ between two datasets, and why.

    Chunks are compared document by document: those of one span with each other, then those that overlap. A cause is
    named where it is sure: by the settings of the two runs if only one differs, or with `--explain`; otherwise it is
    "not told".

    Exit code: 0 all chunks are equal; 1 some are not.
    """
    from pipelines.comparing.comparison import compare
    from pipelines.outputs.atomic_file import commit_file
    from pipelines.outputs.output_error import OutputError

    console = Console(markup=False, emoji=False, highlight=False)
    printed = 0

    def compared(also: Callable[["Found"], None]) -> "Comparison":
        def tell(found: "Found") -> None:
            nonlocal printed
            also(found)
            if show_all or (printed < SHOWN and found.difference.kind != "score"):
                printed += 1
                console.print(difference_lines(found), soft_wrap=True)

        with transient_progress(Console(stderr=True)) as progress:
            task = progress.add_task("input files")
            return compare(
                location(a),
                location(b),
                tolerance=tolerance,
                explain=explain,
                on_difference=tell,
                on_progress=lambda done, total: progress.update(task, completed=done, total=total),
            )

    if json_file is None:
        comparison = compared(lambda _: None)
    else:
        outcome: list[Comparison] = []

        def write(path: Path) -> None:
            with path.open("w", encoding="utf-8", newline="\n") as file:
                outcome.append(compared(lambda found: write_line(file, found)))

        try:
            commit_file(json_file, write)
        except OSError as error:
            raise OutputError(f"{json_file}: cannot be written ({error.strerror}); choose another file") from None
        [comparison] = outcome
    if left := sum(comparison.differences.values()) - printed:
        console.print(f"{left:,} more; --all prints them, --json FILE writes them")
    if comparison.differences:
        console.print(cause_table(comparison))
    (documents_a, documents_b), (chunks_a, chunks_b) = comparison.documents, comparison.chunks
    console.print(
        f"A: {documents_a:,} documents, {chunks_a:,} chunks; B: {documents_b:,} documents, {chunks_b:,} chunks"
    )
    console.print(f"{comparison.equal:,} chunks are equal, {comparison.different_documents:,} documents differ")
    if comparison.differences and not explain:
        console.print(
            "--explain tags these documents again, one setting changed at a time, and tells causes more closely"
        )
    if comparison.differences:
        raise typer.Exit(DIFFERENT)


def difference_lines(found: "Found") -> Text:
    """A difference, for people: where and why, and the chunk of each dataset."""
    lines = [literal(f"{found.document_id}: {found.difference.kind} ({found.cause})")]
    for name, chunk in (("A", found.difference.a), ("B", found.difference.b)):
        if chunk:
            shown = f"  {name} {chunk.start}-{chunk.end} {chunk.entity} {chunk.score:.3f} {chunk.text}"
            lines.append(literal(shown))
    return Text("\n").join(lines)


def write_line(file: TextIO, found: "Found") -> None:
    """A difference, for programs."""
    row: dict[str, Any] = {"document_id": found.document_id, "source": found.source}
    row |= {"kind": found.difference.kind, "cause": found.cause}
    row |= {name: chunk and chunk._asdict() for name, chunk in (("a", found.difference.a), ("b", found.difference.b))}
    file.write(json.dumps(row, ensure_ascii=False) + "\n")


def cause_table(comparison: "Comparison") -> Table:
    """How many differences there are, by cause and kind."""
    kinds = [kind for kind in KINDS if any(found == kind for _, found in comparison.differences)]
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("cause", overflow="fold")
    for heading in (*kinds, "all"):
        table.add_column(HEADINGS.get(heading, heading), justify="right", no_wrap=True)
    by_cause: dict[str, int] = {}
    for (cause, _), number in comparison.differences.items():
        by_cause[cause] = by_cause.get(cause, 0) + number
    for cause, number in sorted(by_cause.items(), key=lambda item: (-item[1], item[0])):
        counts = (comparison.differences[cause, kind] for kind in kinds)
        table.add_row(literal(cause), *(f"{count:,}" if count else "" for count in counts), f"{number:,}")
    return table
