"""transformers' `pipeline("token-classification")` on torch, as its documentation calls it.

With `--batch-size` it gets all texts in one call; 1 is its own default, and what its documentation advises on a CPU.
`--one-at-a-time` calls it for each text, as most people do. Torch has a thread a core; float32 and torch's own fused
attention are the defaults. The texts come in the order of the corpus, to us as to it.

    python -m benchmarks.rivals.hf_pipeline --help
"""

from typing import Annotated

import typer

from benchmarks.rivals.pipeline_turn import OPTIONS, Tag, take_turn
from benchmarks.rivals.sentences import ChunksFile, Model, Output, SentencesFile, Threads


def main(
    sentences: SentencesFile,
    model: Model,
    threads: Threads,
    output: Output,
    chunks: ChunksFile = None,
    batch_size: Annotated[int, typer.Option(help="Texts of one run of the model.")] = 32,
    one_at_a_time: Annotated[bool, typer.Option("--one-at-a-time", help="A call for each text.")] = False,
) -> None:
    """Tag the sentences, by the clock."""
    import torch
    from transformers import pipeline

    torch.set_num_threads(threads)
    tagger = pipeline("token-classification", model=str(model), device="cpu", **OPTIONS)

    def tag_all(texts: list[str]) -> list[list[dict[str, object]]]:
        found: list[list[dict[str, object]]] = tagger(texts, batch_size=batch_size)
        return found

    def tag_each(texts: list[str]) -> list[list[dict[str, object]]]:
        return [tagger(text) for text in texts]

    tag: Tag = tag_each if one_at_a_time else tag_all
    take_turn(tagger, tag, sentences, output, chunks)


if __name__ == "__main__":
    typer.run(main)
