"""`cytotag view`: a dataset as an HTML page."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated

import typer
from rich.console import Console

from pipelines.commands.page_file import check_page, page_path, tell_page, write_page
from pipelines.config import RunStoppedError
from pipelines.exports.rows import Document, documents
from pipelines.storage import location
from pipelines.terminal import converted_documents


def view(
    dataset: Annotated[str, typer.Argument(metavar="DIR", help="Dataset written by `cytotag tag`.")],
    output: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Local file for the page.  [default: DIR-view.html]", show_default=False),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="The most documents in the page.")] = 200,
    open_browser: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace FILE though it is not a page that this command has made.")
    ] = False,
) -> None:
    r"""Write a dataset as an HTML page: texts with their entities marked, to be filtered by type and score.

    The page is one file that needs no server and no network. Without --output it stands beside DIR; for a dataset in
    an object store, in the current folder.
    """
    from pipelines.dataset_documents import count_documents, documents_of
    from pipelines.outputs.manifest import Manifest
    from pipelines.pages.viewer import viewer_page

    folder = location(dataset)
    manifest = Manifest.read(folder)
    path = page_path(output, folder, "view")
    check_page(path, folder, manifest, overwrite=overwrite)
    total = count_documents(folder)
    shown = min(limit, total)
    console = Console(stderr=True, markup=False, emoji=False)  # paths may have brackets
    try:
        with converted_documents(console, shown) as show:
            first = _counted(itertools.islice(documents(documents_of(folder)), shown), show)
            write_page(path, viewer_page(first, name=folder.resolve().name, shown=shown, total=total))
    except KeyboardInterrupt:
        raise RunStoppedError(f"{path}: stopped, nothing was written") from None
    left_out = f" of {total:,}; --limit shows more" if shown < total else ""
    console.print(f"documents: {shown:,}{left_out}", soft_wrap=True)
    tell_page(console, path, open_browser=open_browser)


def _counted(documents: Iterable[Document], show: Callable[[int], None]) -> Iterator[Document]:
    for number, document in enumerate(documents, start=1):
        yield document
        show(number)
