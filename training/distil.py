"""Trains the student on a teacher's probabilities: `python -m training.distil --help`.

Hinton et al. 2015, "Distilling the Knowledge in a Neural Network", at temperature 1: the student learns the teacher's
probabilities for each word, and where there are annotations, those too.
"""

from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import pyarrow.parquet as pq
import torch
import typer

from training.encoders import unpack_minilm
from training.fine_tune import load_encoder, save
from training.labelled_sentences import LABELS
from training.loop import endless_batches, pad, train


class SoftSentence(NamedTuple):
    """A sentence, and what its words should be."""

    input_ids: list[int]
    words: np.ndarray
    """The first piece of each word. *Shape:* (words,)."""
    targets: np.ndarray
    """The probability of each label for each word. *Shape:* (words, labels), float32."""


def read_soft_sentences(paths: list[Path], *, gold_share: float) -> list[SoftSentence]:
    """Reads what `training.soft_labels` wrote.

    Args:
        paths: Its Parquet files.
        gold_share: What the annotation counts, 0 to 1, where a word has one; the teacher has the rest.
    """
    sentences = []
    one_hot = np.eye(len(LABELS), dtype=np.float32)
    for path in paths:
        for row in pq.read_table(path).to_pylist():
            targets = np.array(row["probabilities"], dtype=np.float32).reshape(-1, len(LABELS))
            if row["gold"] is not None:
                targets = (1 - gold_share) * targets + gold_share * one_hot[row["gold"]]
            if len(targets):
                sentences.append(SoftSentence(row["input_ids"], np.array(row["words"], dtype=np.int64), targets))
    return sentences


def distil(
    *,
    soft: Annotated[Path, typer.Option(help="Folder that training.soft_labels wrote.")],
    output: Annotated[Path, typer.Option(help="Folder for the student and its checkpoint.")],
    steps: Annotated[int, typer.Option(help="Batches.")],
    start: Annotated[
        Path | None, typer.Option(help="Fine-tuned student to go on from; the bare encoder without.")
    ] = None,
    learning_rate: float = 3e-4,
    layer_decay: float = 1.0,
    dropout: float = 0.0,
    gold_share: Annotated[float, typer.Option(help="What the annotations count against the teacher.")] = 0.5,
    gold_copies: Annotated[int, typer.Option(help="How often an annotated sentence comes for each other one.")] = 1,
    average: Annotated[float, typer.Option(help="Decay of the running average of the weights; 0 for none.")] = 0.0,
    batch_size: int = 32,
    warmup: float = 0.1,
    seed: int = 1,
    threads: int = 2,
) -> None:
    """Train the six-layer student and write a Hugging Face folder with float32 weights."""
    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    encoder = start or unpack_minilm(output / "encoder")
    model = load_encoder(encoder, dropout=dropout)
    gold = read_soft_sentences(sorted(soft.glob("gold-*.parquet")), gold_share=gold_share)
    sentences = gold * gold_copies + read_soft_sentences(sorted(soft.glob("unlabelled-*.parquet")), gold_share=0)

    def loss_of(batch: list[SoftSentence]) -> torch.Tensor:
        input_ids = pad([sentence.input_ids for sentence in batch], model.config.pad_token_id)
        logits = model(input_ids=input_ids, attention_mask=(input_ids != model.config.pad_token_id).long()).logits
        rows = np.repeat(np.arange(len(batch)), [len(sentence.words) for sentence in batch])
        words = np.concatenate([sentence.words for sentence in batch])
        targets = torch.from_numpy(np.concatenate([sentence.targets for sentence in batch]))
        return torch.nn.functional.cross_entropy(logits[rows, words], targets)

    train(
        model,
        endless_batches(sentences, batch_size, seed, lambda sentence: len(sentence.input_ids)),
        loss_of,
        steps=steps,
        learning_rate=learning_rate,
        layer_decay=layer_decay,
        warmup=warmup,
        average=average,
        output=output,
    )
    save(model, encoder, output)


if __name__ == "__main__":
    typer.run(distil)
