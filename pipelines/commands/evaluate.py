"""`cytotag evaluate`: a chunk dataset against gold documents."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from pipelines.storage import location
from pipelines.terminal import evaluation_notes, evaluation_table


def evaluate(
    gold: Annotated[
        Path, typer.Option(metavar="GOLD.jsonl", exists=True, dir_okay=False, help="Documents with the right entities.")
    ],
    predictions: Annotated[
        str,
        typer.Option(metavar="DIR", help="Chunk dataset written by `cytotag tag`."),
    ],
) -> None:
    """Score a chunk dataset against gold documents.

    A chunk is right when its span and its entity are exactly those of a gold entity: the typed strict F1 of the JNLPBA
    shared task. Each line of GOLD.jsonl has document_id, text, and entities with start, end (half-open, in code points)
    and entity.
    """
    from pipelines import evaluation

    result = evaluation.evaluate(evaluation.read_gold(gold), evaluation.read_predictions(location(predictions)))
    Console().print(evaluation_table(result), *evaluation_notes(result), sep="\n")
