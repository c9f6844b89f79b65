"""`cytotag model`: models that a user brings."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from actors.model_files import EMBEDDED_MODEL
from pipelines.commands.exit_codes import NOTHING_DONE
from pipelines.config import ConfigError
from pipelines.tables import literal

if TYPE_CHECKING:  # it needs the extra
    from pipelines.models.checks import Check
    from pipelines.models.listing import ListedModel

NEEDED = ("onnx", "sympy")
"""What the extra `models` brings."""
FEW = "; that is few: more texts make for better scales"

console = Console(stderr=True, markup=False, emoji=False, highlight=False)

model = typer.Typer(no_args_is_help=True, help="Bring a model of your own, and make it smaller.")

ModelFolder = Annotated[Path, typer.Argument(metavar="DIR", help="Model folder.", show_default=False)]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the model that the new folder's place holds.")]


@model.callback()
def _group() -> None:
    """Bring a model of your own, and make it smaller."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(f"cytotag model needs {', '.join(missing)}; pip install '.[models]'")


@model.command("import", no_args_is_help=True)
def import_(
    source: Annotated[
        Path, typer.Argument(metavar="SOURCE", help="Model folder, ONNX file in one, or bundle.", show_default=False)
    ],
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder to make, for `--model DIR`.", show_default=False)
    ],
    no_fuse: Annotated[
        bool,
        typer.Option("--no-fuse", help="Leave the graph's nodes as they are: for GPUs, as fused ones are for CPUs."),
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Make a model folder of a model as others save it.

    SOURCE: a Hugging Face folder with model.onnx or onnx/model.onnx, or with safetensors weights (these need the extra
    `export`); what Spark NLP imports (model.onnx and assets/) or saves (a folder or a zip). The graph is fused, and
    gives tag ids and scores; its tags on a test text are those of the original, or nothing is written. Nothing is
    downloaded, and no code of a model is run.
    """
    from pipelines.models.importing import import_model

    with console.status(f"importing {source}"):
        manifest = import_model(source, folder, fused=not no_fuse, overwrite=overwrite)
    say(f"{folder}: {manifest.layout}, {manifest.precision}")
    for done in manifest.done:
        say(f"  {done}")
    if compared := manifest.compared:
        say(
            f"  same tags as the original on {compared['pieces']:,} word pieces ({compared['ties']} ties); "
            f"scores within {compared['largest_difference']:.1g} (allowed: {compared['score_tolerance']})"
        )
    say(f"use it: cytotag tag ... --model {folder}")


@model.command()
def check(
    folder: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="Model folder; the embedded model without.", show_default=False)
    ] = None,
) -> None:
    """Check that a model folder fits together and works, whoever made it. Exit code: 0, or 1 if it does not."""
    from pipelines.models.checks import check_folder

    with console.status("checking"):
        checks = list(check_folder(folder))
    Console().print(literal(str(folder or EMBEDDED_MODEL)), soft_wrap=True)
    Console().print(checks_table(checks))
    problems = [one.problem for one in checks if one.problem]
    for problem in problems:
        say(f"problem: {problem}")
    if problems:
        raise typer.Exit(NOTHING_DONE)


@model.command(no_args_is_help=True)
def quantize(
    folder: ModelFolder,
    target: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to make.", show_default=False)],
    calibration: Annotated[
        list[str],
        typer.Option(
            metavar="FILE",
            help="Texts such as are to be tagged, in any format that `cytotag tag` reads; may be given several times.",
            show_default=False,
        ),
    ],
    sentences: Annotated[int, typer.Option(min=1, help="The most that scales are measured on.")] = 1000,
    overwrite: Overwrite = False,
) -> None:
    """Make an int8 model of a float32 one: a quarter of its size, and faster on CPUs with int8 instructions.

    The scales of the activations are fixed on the texts of --calibration, so a sentence's tags do not depend on the
    batch that it is in. Every fifth document is held back, and tagged with both models.
    """
    from pipelines.models.quantizing import quantize_model

    with console.status(f"quantizing {folder}"):
        done = quantize_model(folder, target, calibration, sentences=sentences, overwrite=overwrite)
    say(f"{target}: int8, {done.bytes_after / 1e6:,.1f} MB of {done.bytes_before / 1e6:,.1f} MB")
    say(f"  scales fixed on {done.sentences:,} sentences" + (FEW if done.sentences < sentences // 3 else ""))
    which = "held-back documents" if done.held_back else "the calibration texts themselves (fewer than 5 documents)"
    say(f"  same tag as before for {100 * done.equal:.2f} % of {done.words:,} words of {which}")
    say(f"use it: cytotag tag ... --model {target}")


@model.command("list")
def list_(
    folders: Annotated[
        list[Path] | None, typer.Argument(metavar="FOLDER...", help="Where to look, and below.", show_default=False)
    ] = None,
) -> None:
    """List the embedded model, and the model folders in FOLDER and below."""
    from pipelines.models.listing import list_models

    Console().print(models_table(list(list_models(folders or []))))


def say(line: str) -> None:
    """A line beside the results, with what comes from outside made safe."""
    console.print(literal(line), soft_wrap=True)


def models_table(listed: "Sequence[ListedModel]") -> Table:
    """A row a model folder."""
    table = Table(show_lines=True)
    for heading in ("model", "what it is", "what it finds"):
        table.add_column(heading, overflow="fold")
    for one in listed:
        name = literal("embedded" if one.path == EMBEDDED_MODEL else str(one.path))
        if one.problem:
            table.add_row(name, literal(f"cannot be used: {one.problem}"), "")
            continue
        lines = (
            f"{one.family}, {one.precision}, {one.bytes / 1e6:,.1f} MB",
            f"{one.max_length:,} word pieces at once",
            f"policy {one.tag_policy}, threshold {one.threshold:g}",
            one.made,
        )
        table.add_row(name, Text("\n").join(map(literal, lines)), literal(f"{one.labels}: {', '.join(one.entities)}"))
    return table


def checks_table(checks: "Sequence[Check]") -> Table:
    """What was asked of a model folder, what was found, and whether that is a problem."""
    table = Table()
    for heading in ("check", "found", "verdict"):
        table.add_column(heading, overflow="fold")
    for one in checks:
        table.add_row(one.name, literal(one.found), "wrong" if one.problem else "good" if one.known else "not known")
    return table
