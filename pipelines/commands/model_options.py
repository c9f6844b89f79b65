"""The options of each command that runs a model: which one, and how."""

from pathlib import Path
from typing import Annotated

import typer

from actors.execution_providers import DEVICE_HELP, Device
from actors.session_options import SESSION_HELP
from pipelines.compatibility import Compat

ModelOption = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Model folder: model.onnx, config.json, tokenizer.json. Without it, the embedded JNLPBA model.",
        rich_help_panel="Model",
    ),
]
CompatOption = Annotated[
    Compat | None,
    typer.Option(
        help="Copy Spark NLP: <= 6.1.1 semantics, row-shift bug excluded; its words, their first fragments only, "
        "128 word pieces a sentence (docs/compat.md).",
        show_default=False,
        rich_help_panel="Model",
    ),
]
DeviceOption = Annotated[Device, typer.Option(help=DEVICE_HELP, rich_help_panel="Model")]
SessionOption = Annotated[
    list[str] | None, typer.Option(metavar="KEY=VALUE", help=SESSION_HELP, rich_help_panel="Model")
]
