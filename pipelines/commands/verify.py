"""`cytotag verify`: is a dataset complete and true?"""

from typing import Annotated

import typer
from rich.console import Console
from rich.progress import TaskID

from pipelines.commands.exit_codes import NOTHING_DONE
from pipelines.config import ConfigError
from pipelines.storage import location
from pipelines.tables import literal, verdict_table
from pipelines.terminal import transient_progress


def verify(
    dataset: Annotated[str, typer.Argument(metavar="DIR", help="Chunk dataset written by `cytotag tag`.")],
    inputs: Annotated[
        list[str] | None, typer.Argument(metavar="INPUT...", help="Behind --against: files, folders and patterns.")
    ] = None,
    against: Annotated[
        bool, typer.Option("--against", help="Read these input files again, and hold the dataset against them.")
    ] = False,
) -> None:
    """Prove that a dataset is complete and true, or say what is missing, double or wrong.

    `cytotag verify chunks` asks the dataset itself, `cytotag verify chunks --against pubmed/` its input files too.

    Every record of every input file is covered once, the parts hold what they say, and the manifest is their sum. With
    `--against` the input files are read again: each of their records is there, and each chunk is the text at its
    offsets.

    Exit code: 0 all is true; 1 something is missing, double or wrong.
    """
    from pipelines.corpora.input_files import absolute, find_input_files
    from pipelines.dataset_verification import verify as ask

    if against != bool(inputs):
        raise ConfigError("--against and INPUT go together: cytotag verify DIR --against INPUT ...")
    files = absolute(find_input_files(inputs)) if inputs else None
    with transient_progress(Console(stderr=True)) as progress:
        tasks: dict[str, TaskID] = {}

        def show(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what)
            progress.update(tasks[what], completed=done, total=total)

        verdict = ask(location(dataset), files, show)
    console = Console()
    console.print(verdict_table(verdict))
    for line in [*verdict.remarks, *verdict.lines]:
        console.print(literal(line), soft_wrap=True)
    if left := verdict.problems - len(verdict.lines):
        console.print(f"{left:,} more")
    if verdict.problems:
        raise typer.Exit(NOTHING_DONE)
