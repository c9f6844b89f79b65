"""One training loop for teacher and student: fused AdamW, layer-wise rates, and checkpoints to go on from."""

import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import torch

POOL_BATCHES = 50
"""Batches are cut from a pool this many batches long, sorted by length: random enough, and hardly any padding."""

CHECKPOINT_STEPS = 100
CLASSIFIER_RATE = 5.0
"""The classifier starts from nothing, and learns this many times as fast as the encoder's last layer."""

Sentence = TypeVar("Sentence")


def make_batches(
    sentences: Sequence[Sentence], batch_size: int, rng: random.Random, length: Callable[[Sentence], int]
) -> list[list[Sentence]]:
    """Cuts the shuffled sentences into batches of about equal length."""
    order = rng.sample(sentences, len(sentences))
    pool = batch_size * POOL_BATCHES
    batches = []
    for at in range(0, len(order), pool):
        by_length = sorted(order[at : at + pool], key=length)
        batches += [by_length[i : i + batch_size] for i in range(0, len(by_length), batch_size)]
    rng.shuffle(batches)
    return batches


def endless_batches(
    sentences: Sequence[Sentence], batch_size: int, seed: int, length: Callable[[Sentence], int]
) -> Iterator[list[Sentence]]:
    """Epoch after epoch; the same batches for the same seed, so that a run can go on where it was stopped."""
    rng = random.Random(seed)
    while True:
        yield from make_batches(sentences, batch_size, rng, length)


def pad(rows: Sequence[Sequence[int]], filler: int) -> torch.Tensor:
    """Rows padded on the right to the longest. *Shape:* (rows, columns), int64."""
    width = max(map(len, rows))
    return torch.tensor([[*row, *[filler] * (width - len(row))] for row in rows])


def bf16_is_fast() -> bool:
    """Whether the CPU multiplies bf16 in hardware (AMX): elsewhere float32 is faster."""
    return torch.backends.cpu.get_cpu_capability() == "AVX512" and torch.cpu._is_amx_tile_supported()


def optimizer_of(model: torch.nn.Module, *, learning_rate: float, layer_decay: float) -> torch.optim.Optimizer:
    """AdamW whose rate falls by `layer_decay` from each layer of the encoder to the one below it."""
    layers = model.config.num_hidden_layers
    groups = []
    for name, weights in model.named_parameters():
        if ".layer." in name:
            depth = int(name.split(".layer.")[1].split(".")[0])
        else:
            depth = -1 if "embeddings" in name else layers - 1
        scale = CLASSIFIER_RATE if name.startswith("classifier") else layer_decay ** (layers - 1 - depth)
        decay = 0.0 if name.endswith("bias") or "LayerNorm" in name else 0.01
        groups.append({"params": [weights], "lr": learning_rate * scale, "weight_decay": decay})
    return torch.optim.AdamW(groups, fused=True)


def train(
    model: torch.nn.Module,
    batches: Iterator[Sequence[Sentence]],
    loss_of: Callable[[Sequence[Sentence]], torch.Tensor],
    *,
    steps: int,
    learning_rate: float,
    layer_decay: float,
    warmup: float,
    average: float,
    output: Path,
) -> None:
    """Trains `model` in place, and leaves the running average of its weights in it.

    A run that is stopped goes on from the last checkpoint in `output` when it is started again.

    Args:
        model: A token classifier of transformers'.
        batches: As many as there are steps, or more.
        loss_of: The loss of a batch, a scalar that can be differentiated.
        steps: Batches to learn from.
        learning_rate: The highest, of the encoder's last layer.
        layer_decay: By how much the rate falls from a layer to the one below it.
        warmup: Share of the steps in which the rate grows from zero; then it falls to zero, linearly.
        average: How much of the average stays at each step; 0 for the last weights.
        output: Folder of the checkpoint.
    """
    optimizer = optimizer_of(model, learning_rate=learning_rate, layer_decay=layer_decay)
    rising = max(1, int(warmup * steps))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / rising, max(0.0, (steps - step) / (steps - rising)))
    )
    averaged = torch.optim.swa_utils.AveragedModel(
        model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(average), use_buffers=False
    )
    parts = {"model": model, "optimizer": optimizer, "schedule": schedule, "averaged": averaged}
    output.mkdir(parents=True, exist_ok=True)
    checkpoint = output / "checkpoint.pt"
    done = 0
    if checkpoint.exists():
        saved = torch.load(checkpoint)
        done = saved.pop("step")
        for name, state in saved.items():
            parts[name].load_state_dict(state)
    for _ in range(done):
        next(batches)
    bf16 = bf16_is_fast()
    print(f"{steps:,} steps from {done:,}, bf16 {bf16}", flush=True)
    model.train()
    began = time.monotonic()
    for step in range(done + 1, steps + 1):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            loss = loss_of(next(batches))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        averaged.update_parameters(model)
        if step % 50 == 0:
            seconds = (time.monotonic() - began) / (step - done)
            print(
                json.dumps({"step": step, "loss": round(loss.item(), 4), "seconds_a_step": round(seconds, 3)}),
                flush=True,
            )
        if step % CHECKPOINT_STEPS == 0 or step == steps:
            unfinished = checkpoint.with_suffix(".tmp")
            torch.save({"step": step} | {name: part.state_dict() for name, part in parts.items()}, unfinished)
            unfinished.rename(checkpoint)
    model.load_state_dict(averaged.module.state_dict())
    model.eval()
