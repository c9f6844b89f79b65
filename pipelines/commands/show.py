"""`cytotag show`: a chunk dataset as a table."""

from typing import Annotated

import typer
from rich.console import Console

from pipelines.storage import location
from pipelines.tables import chunk_table


def show(
    dataset: Annotated[str, typer.Argument(metavar="DIR", help="Chunk dataset written by `cytotag tag`.")],
    limit: Annotated[int, typer.Option(min=1, help="Chunks to show.")] = 100,
) -> None:
    """Print the chunks of a dataset as a table."""
    from pipelines.outputs.dataset import read_chunks

    (chunks, count), console = read_chunks(location(dataset), limit), Console()
    console.print(chunk_table(chunks, with_document=True))
    if (left := count - limit) > 0:
        console.print(f"{left:,} more; --limit shows them")
