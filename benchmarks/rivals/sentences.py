"""What rivals read, and what they find of it: sentences of ours, as they cut none, and chunks of their entities."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from benchmarks.measurement import ChunkRow

WARM_UP = 32
"""Sentences that are tagged before the clock starts."""

SentencesFile = Annotated[Path, typer.Option("--sentences", help="sentences.jsonl of a corpus.", show_default=False)]
Model = Annotated[Path, typer.Option(help="Folder of transformers.", show_default=False)]
Threads = Annotated[int, typer.Option(help="Cores to keep busy.", show_default=False)]
Output = Annotated[Path, typer.Option(help="File for the Turn.", show_default=False)]
ChunksFile = Annotated[Path | None, typer.Option("--chunks", help="File for the chunks.", show_default=False)]

Entities = Sequence[Mapping[str, Any]]
"""What a pipeline finds in one text: `entity_group`, and `start` and `end` in that text."""


class Sentence(NamedTuple):
    """One line of `sentences.jsonl`; `start` is that of the text in its document."""

    document_id: str
    start: int
    text: str


def read_sentences(path: Path) -> list[Sentence]:
    """The sentences of a corpus, in order."""
    with path.open(encoding="utf-8") as lines:
        return [Sentence(**json.loads(line)) for line in lines]


def chunk_rows(sentences: Iterable[Sentence], found: Iterable[Entities]) -> Iterator[ChunkRow]:
    """The entities of each sentence as chunks of its document."""
    for sentence, entities in zip(sentences, found, strict=True):
        for entity in entities:
            start, end = sentence.start + entity["start"], sentence.start + entity["end"]
            yield ChunkRow(sentence.document_id, start, end, entity["entity_group"])


def documents_of(sentences: Iterable[Sentence]) -> int:
    """How many documents the sentences are of."""
    return len({sentence.document_id for sentence in sentences})
