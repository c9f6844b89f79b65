"""`cytotag report`: one HTML page on a run."""

import logging
import webbrowser
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from pipelines.config import ConfigError
from pipelines.outputs.atomic_file import commit_text
from pipelines.outputs.folder import REPORT
from pipelines.outputs.output_error import OutputError
from pipelines.storage import Location, is_within, location
from pipelines.terminal import transient_progress


def report(
    dataset: Annotated[
        str, typer.Argument(metavar="DIR", help="Dataset written by `cytotag tag`; local, s3://, gs://.")
    ],
    output: Annotated[
        str | None, typer.Option(metavar="FILE", help="Where the page goes; DIR/_report.html if not said.")
    ] = None,
    open_page: Annotated[bool, typer.Option("--open", help="Show the page in the browser.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace FILE if it is there.")] = False,
) -> None:
    r"""Write one HTML page on a run: how it went, what is in it, what went wrong.

    The run may be finished, stopped, or still going: the page says which. It stands alone and fetches nothing. An
    earlier DIR/\_report.html is replaced.
    """
    folder = location(dataset)
    page = location(output) if output is not None else folder / REPORT
    _check(page, folder, named=output is not None, open_page=open_page, overwrite=overwrite)
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it tells of its font cache, made once
    try:
        from pipelines.pages.report import report_page  # matplotlib is slow to import, and an extra
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":
            raise
        raise ConfigError(
            "matplotlib draws the report and is not installed: pip install 'matplotlib>=3.9,<4'"
        ) from None
    from pipelines.reporting import report_on

    console = Console(stderr=True, markup=False, emoji=False)
    with transient_progress(console) as progress:
        task = progress.add_task("reading parts", total=None)
        found = report_on(folder, lambda done, total: progress.update(task, completed=done, total=total))
    try:
        commit_text(page, report_page(found))
    except OSError as error:
        raise OutputError(f"{page}: cannot be written ({error.strerror or error}); choose another --output") from None
    console.print(f"report: {page}", soft_wrap=True)
    if open_page and isinstance(page, Path) and not webbrowser.open(page.resolve().as_uri()):
        console.print("no browser was found; open the file yourself")


def _check(page: Location, folder: Location, *, named: bool, open_page: bool, overwrite: bool) -> None:
    """Refuses, before any work, what the page cannot be written to or shown from."""
    if open_page and not isinstance(page, Path):
        raise ConfigError(f"--open {page}: a browser shows local files; name one with --output")
    if not named:
        return
    if is_within(page, folder) and not page.name.startswith("_"):
        raise ConfigError(
            f"--output {page}: lies in the dataset, whose readers would take it for a part; begin its name with _"
        )
    try:
        there = page.exists()
    except OSError as error:
        raise OutputError(f"{page}: cannot be looked at ({error.strerror or error}); choose another --output") from None
    if isinstance(page, Path) and page.is_dir():
        raise ConfigError(f"--output {page}: is a folder; name a file")
    if there and not overwrite:
        raise OutputError(f"{page}: is there already; replace it with --overwrite, or choose another --output")
