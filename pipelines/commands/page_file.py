"""The file of an HTML page that a command makes of a dataset."""

import webbrowser
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console

from pipelines.config import ConfigError
from pipelines.outputs.atomic_file import commit_file
from pipelines.outputs.manifest import Manifest
from pipelines.outputs.output_error import OutputError
from pipelines.storage import Location, is_address, is_within, location

OURS = b'<meta name="generator" content="cytotag">'
"""Stands in the head of each page that may be replaced without a word, in its first bytes."""

_HEAD_BYTES = 2048


def page_path(output: str | None, folder: Location, what: str) -> Path:
    """The file named; or else `FOLDER-WHAT.html` beside the folder, or for one in a store in the current folder.

    Raises:
        ConfigError: A store was named.
    """
    if output is None:
        whole = folder.resolve()
        return (whole.parent if isinstance(whole, Path) else Path()) / f"{whole.name}-{what}.html"
    if is_address(output):
        raise ConfigError(f"--output {output}: the page is written to a local file; name one")
    return Path(output)


def check_page(path: Path, folder: Location, manifest: Manifest, *, overwrite: bool) -> None:
    """Refuses a file that is not to be written, before any work is done.

    Raises:
        OutputError: It is an input file of the dataset, lies in the dataset's folder, whose readers would stumble over
            it, is a folder, or is there and not a page of ours.
    """
    if path.is_dir():
        raise OutputError(f"{path}: is a folder; name a file with --output")
    if is_within(path, folder):
        raise OutputError(f"{path}: lies in the dataset, whose readers would take it for a part; choose another place")
    if any(path.resolve() == location(entry["path"]).resolve() for entry in manifest.inputs):
        raise OutputError(f"{path}: is an input file of the dataset; choose another file for the page")
    if not overwrite and path.exists() and not _is_ours(path):
        raise OutputError(
            f"{path}: is there, and is no page of cytotag's; replace it with --overwrite, or choose another"
        )


def _is_ours(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return OURS in file.read(_HEAD_BYTES)
    except OSError:
        return False


def write_page(path: Path, pieces: Iterable[str]) -> None:
    """Writes a page, piece by piece; it is there whole or not at all.

    Raises:
        OutputError: It cannot be written. Errors of `pieces` go through.
    """

    def write(temporary: Path) -> None:
        with temporary.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(pieces)

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        commit_file(path, write)
    except OSError as error:
        raise OutputError(
            f"{path}: cannot be written ({error.strerror or error}); check the permissions and the free space, or "
            f"choose another file with --output"
        ) from None


def tell_page(console: Console, path: Path, *, open_browser: bool) -> None:
    """Says where the page is, and shows it in the browser if that is wanted."""
    console.print(f"page: {path}", soft_wrap=True)
    if open_browser and not webbrowser.open(path.resolve().as_uri()):
        console.print(f"no browser could be opened here; open {path} yourself", soft_wrap=True)
