"""`cytotag compact`: small parts merged into large ones."""

from typing import Annotated

import typer
from rich.console import Console

from pipelines.storage import location
from pipelines.tables import compaction_table
from pipelines.terminal import transient_progress

DEFAULT_MIB = 128


def compact(
    dataset: Annotated[str, typer.Argument(metavar="DIR", help="Chunk dataset written by `cytotag tag`.")],
    part_size: Annotated[int, typer.Option(metavar="MIB", min=1, help="Size of the parts it makes.")] = DEFAULT_MIB,
) -> None:
    """Merge the small parts of a finished dataset into large ones.

    The rows stay the same. It may be stopped at any time, and done again as the dataset grows.
    """
    from pipelines.outputs import compaction

    console = Console(stderr=True, markup=False, emoji=False)
    with transient_progress(console) as progress:
        task = progress.add_task("merging parts", total=None)
        before, after = compaction.compact(
            location(dataset), part_size << 20, lambda done, total: progress.update(task, completed=done, total=total)
        )
    Console().print(compaction_table(before, after))
