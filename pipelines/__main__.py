"""The command line: `cytotag`, or `python -m pipelines`."""

import importlib
import os
import sys
from collections.abc import Iterable
from typing import Annotated, NoReturn

import typer

from actors.model_files import ModelError
from pipelines.commands.exit_codes import NOTHING_DONE
from pipelines.config import ConfigError, RunStoppedError
from pipelines.corpora.input_files import InputError
from pipelines.evaluating.evaluation_error import EvaluationError
from pipelines.outputs.output_error import OutputError

COMMANDS = ("tag", "show", "view", "report", "evaluate", "diff", "convert", "verify", "compact", "serve")
GROUPS = ("pubmed", "model")


def command_line(names: Iterable[str] = (*COMMANDS, *GROUPS)) -> typer.Typer:
    """The command line, with the commands and groups of these names: each is in a module of its name."""
    app = typer.Typer(
        name="cytotag",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",
    )
    app.callback()(options)
    for name in names:
        found = getattr(importlib.import_module(f"pipelines.commands.{name}"), name)
        if name in GROUPS:
            app.add_typer(found, name=name)
        else:
            app.command(no_args_is_help=name != "serve")(found)
    return app


def print_version(wanted: bool) -> None:
    """Prints the version and ends the program."""
    if wanted:
        from pipelines.outputs.manifest import installed_version

        typer.echo(f"cytotag {installed_version('cytotag')}")
        raise typer.Exit


def options(
    version: Annotated[bool, typer.Option("--version", callback=print_version, is_eager=True, help="Version.")] = False,
) -> None:
    """Tag proteins, DNA, RNA, cell lines and cell types in biomedical text."""


def main() -> None:
    """Runs the command line; a mistake of the user's is one line on stderr, not a traceback."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    wanted = [name for name in sys.argv[1:2] if name in COMMANDS + GROUPS]  # to import all takes longer than a text
    app = command_line(wanted) if wanted else command_line()
    try:
        app(prog_name="cytotag")
    except (ConfigError, EvaluationError, InputError, ModelError, OutputError, RunStoppedError) as error:
        fail(str(error))


def fail(message: str) -> NoReturn:
    """Ends the program with one line."""
    sys.stderr.write(f"cytotag: {' '.join(message.split())}\n")
    sys.exit(NOTHING_DONE)


if __name__ == "__main__":
    main()
