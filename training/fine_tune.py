"""Fine-tunes a pretrained encoder on gold documents: `python -m training.fine_tune --help`."""

import shutil
from pathlib import Path
from typing import Annotated, Literal

import torch
import typer
from tokenizers import Tokenizer
from transformers import AutoModelForTokenClassification

from training.encoders import unpack_minilm, unpack_mpnet
from training.labelled_sentences import IGNORED, LABELS, LabelledSentence, read_labelled_sentences
from training.loop import endless_batches, pad, train

TAG_POLICY = "strict"
"""What is made of stray I- tags: chosen on dev (README.md)."""
THRESHOLD = 0.55
"""What a chunk must score: likewise."""

UNPACK = {"minilm": unpack_minilm, "mpnet": unpack_mpnet}


def load_encoder(folder: Path, *, dropout: float) -> torch.nn.Module:
    """An encoder with a new classifier of JNLPBA's tags on top."""
    return AutoModelForTokenClassification.from_pretrained(
        folder,
        id2label=dict(enumerate(LABELS)),
        label2id={label: i for i, label in enumerate(LABELS)},
        # The exporter writes this attention as plain matrix products, which onnxruntime then fuses.
        attn_implementation="eager",
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
    )


def save(model: torch.nn.Module, encoder: Path, output: Path) -> None:
    """Writes a Hugging Face folder with float32 weights, which `cytotag model import` takes."""
    model.config.tag_policy = TAG_POLICY
    model.config.threshold = THRESHOLD
    model.save_pretrained(output)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(encoder / name, output / name)


def fine_tune(
    *,
    gold: Annotated[Path, typer.Option("--train", help="Gold documents to train on, JSONL.")],
    output: Annotated[Path, typer.Option(help="Folder for the fine-tuned model and its checkpoint.")],
    encoder: Annotated[Literal["minilm", "mpnet"], typer.Option(help="The student's encoder, or the teacher's.")],
    steps: Annotated[int, typer.Option(help="Batches; 525 are an epoch of 32 sentences each.")],
    learning_rate: float = 3e-4,
    layer_decay: Annotated[float, typer.Option(help="By how much the rate falls from a layer to that below.")] = 1.0,
    dropout: float = 0.1,
    label_smoothing: float = 0.0,
    freeze_embeddings: bool = False,
    average: Annotated[float, typer.Option(help="Decay of the running average of the weights; 0 for none.")] = 0.0,
    batch_size: int = 32,
    warmup: float = 0.1,
    seed: int = 1,
    threads: int = 2,
) -> None:
    """Fine-tune an encoder on JNLPBA and write a Hugging Face folder with float32 weights."""
    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    folder = UNPACK[encoder](output / "encoder")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    model = load_encoder(folder, dropout=dropout)
    if freeze_embeddings:
        model.base_model.embeddings.requires_grad_(False)
    loss = torch.nn.CrossEntropyLoss(ignore_index=IGNORED, label_smoothing=label_smoothing)

    def loss_of(batch: list[LabelledSentence]) -> torch.Tensor:
        input_ids = pad([sentence.input_ids for sentence in batch], model.config.pad_token_id)
        labels = pad([sentence.label_ids for sentence in batch], IGNORED)
        logits = model(input_ids=input_ids, attention_mask=(input_ids != model.config.pad_token_id).long()).logits
        return loss(logits.flatten(0, 1), labels.flatten())

    sentences = read_labelled_sentences(gold, tokenizer)
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
    save(model, folder, output)


if __name__ == "__main__":
    typer.run(fine_tune)
