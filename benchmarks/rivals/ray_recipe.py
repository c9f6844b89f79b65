"""Ray's own recipe for a text model: a class that holds a pipeline of transformers, mapped over batches.

It is the one of Ray's documentation ("Working with Text", "Performing inference on text"), with token classification in
place of text classification: the pipeline is called with the texts of a batch and no batch size. An actor a core, and
each has the one torch thread that Ray gives an actor of one CPU. Ray gets a logical CPU more than there are cores, as
for ours, so that its reading has where to run.

Seconds are from the first batch that an actor begins to the last one that ends, once all actors are ready.

    python -m benchmarks.rivals.ray_recipe --help
"""

import json
import time
from pathlib import Path
from typing import Any

import ray
import typer

from benchmarks.measurement import Turn, digest_of, seconds_since_start, write_chunks
from benchmarks.rivals.pipeline_turn import OPTIONS, count_pieces
from benchmarks.rivals.sentences import (
    WARM_UP,
    ChunksFile,
    Entities,
    Model,
    Output,
    Sentence,
    SentencesFile,
    Threads,
    chunk_rows,
    documents_of,
    read_sentences,
)

ACTORS_READY_SECONDS = 600


class TokenClassifier:
    """What the recipe maps; it adds to each row what was found, and when its batch began and ended."""

    def __init__(self, model: str, warm_up: list[str]) -> None:
        from transformers import pipeline

        self.model = pipeline("token-classification", model=model, device="cpu", **OPTIONS)
        self.model(warm_up)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """A batch of columns, with three more."""
        began = time.monotonic()
        predictions = self.model(list(batch["text"]))
        ended = time.monotonic()
        kept = ("entity_group", "start", "end")
        batch["found"] = [json.dumps([{name: one[name] for name in kept} for one in each]) for each in predictions]
        batch["began"], batch["ended"] = [began] * len(predictions), [ended] * len(predictions)
        return batch


def main(sentences: SentencesFile, model: Model, threads: Threads, output: Output, chunks: ChunksFile = None) -> None:
    """Tag the sentences, by the clock."""
    from transformers import AutoTokenizer

    given = read_sentences(sentences)
    ray.init(num_cpus=threads + 1, include_dashboard=False, log_to_driver=False)
    ray.data.DataContext.get_current().wait_for_min_actors_s = ACTORS_READY_SECONDS
    rows = tag(sentences, model, threads, [sentence.text for sentence in given[:WARM_UP]])
    ray.shutdown()
    began, ended = min(row["began"] for row in rows), max(row["ended"] for row in rows)
    tagged = [Sentence(row["document_id"], row["start"], row["text"]) for row in rows]
    entities: list[Entities] = [json.loads(row["found"]) for row in rows]
    found = list(chunk_rows(tagged, entities))
    turn = Turn(
        seconds=ended - began,
        documents=documents_of(given),
        pieces=count_pieces(AutoTokenizer.from_pretrained(model), given),
        start_seconds=seconds_since_start() - (time.monotonic() - began),
        chunks=len(found),
        digest=digest_of(found),
    )
    if chunks:
        write_chunks(chunks, found)
    turn.write(output)


def tag(sentences: Path, model: Path, actors: int, warm_up: list[str]) -> list[dict[str, Any]]:
    """The rows of the sentences' file with what was found: the recipe itself."""
    dataset = ray.data.read_json(str(sentences.absolute())).map_batches(
        TokenClassifier,
        fn_constructor_kwargs={"model": str(model.absolute()), "warm_up": warm_up},
        compute=ray.data.ActorPoolStrategy(size=actors),
        num_cpus=1,
    )
    return list(dataset.iter_rows())


if __name__ == "__main__":
    typer.run(main)
