"""`cytotag pubmed`: what stands in PubMed files, before anything is tagged."""

import json
import multiprocessing
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from pipelines.commands.exit_codes import FINISHED_WITH_ERRORS
from pipelines.corpora.input_files import MD5_SUFFIX, InputFile, find_input_files
from pipelines.storage import is_address, location
from pipelines.tables import literal

COUNTS = ("citations", "superseded", "deleted", "to_tag")

pubmed = typer.Typer(no_args_is_help=True, help="Look into PubMed files.")


@pubmed.callback()
def _group() -> None:
    """Look into PubMed files."""


@pubmed.command(no_args_is_help=True)
def plan(
    inputs: Annotated[list[str], typer.Argument(metavar="FOLDER...", help="Files, folders and patterns.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
) -> None:
    """Show what would be tagged of PubMed files: which citations are superseded, and which are deleted.

    The last word on a PMID wins: that of the update file with the highest number. A file that is not what its .md5 file
    says is left out. Exit code: 0; 1 nothing could be done; 3 a file was left out, or cannot be read to its end.
    """
    from pipelines.citations import plan_files, refuse_two_baselines
    from pipelines.corpora.identity import identify

    files = find_input_files(inputs, "pubmed")
    refuse_two_baselines(files)
    identified = identify(files, ())
    with tempfile.TemporaryDirectory() as folder:
        made = plan_files(identified.files, Path(folder), _in_processes)
    rows: list[dict[str, Any]] = [
        {
            "file": path,
            "citations": one.citations,
            **{reason: len(ordinals) for reason, ordinals in one.withdrawn.items()},
            "to_tag": one.to_tag,
            "md5": "ok" if location(f"{path}{MD5_SUFFIX}").exists() and not is_address(path) else "absent",
            "problem": one.problem or None,
        }
        for path, one in made.files.items()
    ]
    nothing = dict.fromkeys(COUNTS, 0)
    rows += [{"file": one.path, **nothing, "md5": "bad", "problem": one.reason} for one in identified.refused]
    total = {"files": len(rows)} | {name: sum(row[name] for row in rows) for name in COUNTS}
    warnings = [*made.warnings, *map(str, identified.refused)]
    if as_json:
        found = {"files": rows, "total": total, "unknown_deletions": made.unknown_deletions, "warnings": warnings}
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        console = Console()
        console.print(plan_table(rows, total))
        console.print(f"{made.unknown_deletions:,} PMIDs are deleted that no file has", highlight=False)
        for warning in warnings:
            console.print(literal(f"warning: {warning}"), soft_wrap=True)
    if any(row["problem"] for row in rows):
        raise typer.Exit(FINISHED_WITH_ERRORS)


def plan_table(rows: Sequence[dict[str, Any]], total: dict[str, int]) -> Table:
    """The plan by file, in the order in which the files speak, and its sums."""
    table = Table()
    table.add_column("file", overflow="fold")
    for heading in (*COUNTS, "md5"):
        table.add_column(heading.replace("_", " "), justify="left" if heading == "md5" else "right")
    for number, row in enumerate(rows, start=1):
        counts = (f"{row[name]:,}" for name in COUNTS)
        table.add_row(literal(Path(row["file"]).name), *counts, row["md5"], end_section=number == len(rows))
    table.add_row(f"{total['files']:,} files", *(f"{total[name]:,}" for name in COUNTS), "")
    return table


def _in_processes(function: Callable[[InputFile], None], files: Sequence[InputFile]) -> None:
    """Calls the function with each file, on all cores; shows on a terminal how far it has come."""
    console = Console(stderr=True)
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
        done = pool.map(function, files)
        for _ in track(
            done, "reading", total=len(files), console=console, transient=True, disable=not console.is_terminal
        ):
            pass
