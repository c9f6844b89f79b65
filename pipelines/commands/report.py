"""`cytotag report`: one HTML page on a run."""

import logging
from typing import Annotated

import typer
from rich.console import Console

from pipelines.commands.page_file import check_page, page_path, tell_page, write_page
from pipelines.config import ConfigError
from pipelines.storage import location
from pipelines.terminal import transient_progress


def report(
    dataset: Annotated[
        str, typer.Argument(metavar="DIR", help="Dataset written by `cytotag tag`; local, s3://, gs://.")
    ],
    output: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Local file for the page.  [default: DIR-report.html]", show_default=False),
    ] = None,
    open_browser: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace FILE though it is not a page of cytotag's.")
    ] = False,
) -> None:
    r"""Write one HTML page on a run: how it went, what is in it, what went wrong.

    The run may be finished, stopped, or still going: the page says which. It stands alone and fetches nothing. Without
    --output it stands beside DIR; for a dataset in an object store, in the current folder.
    """
    from pipelines.outputs.manifest import Manifest

    folder = location(dataset)
    path = page_path(output, folder, "report")
    check_page(path, folder, Manifest.read(folder), overwrite=overwrite)
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

    console = Console(stderr=True, markup=False, emoji=False)  # paths may have brackets
    with transient_progress(console) as progress:
        task = progress.add_task("reading parts", total=None)
        found = report_on(folder, lambda done, total: progress.update(task, completed=done, total=total))
    write_page(path, [report_page(found)])
    tell_page(console, path, open_browser=open_browser)
