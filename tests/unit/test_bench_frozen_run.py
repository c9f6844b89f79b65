"""What is made faster still finds what it found."""

import dataclasses

import pytest
import typer
from typer.testing import CliRunner

from benchmarks import frozen_run
from benchmarks.frozen_run import DEV, FROZEN, FrozenRun, run_now
from benchmarks.measurement import ChunkRow

HERE = {"flags": ["avx2"], "onnxruntime": "1.32.0"}
CHUNKS = frozenset(ChunkRow(f"{number % 7}", number, number + 3, "DNA") for number in range(300))
ONE_LESS = frozenset(sorted(CHUNKS)[1:])
FEWER = frozenset(sorted(CHUNKS)[5:])


@pytest.mark.skipif(not DEV.exists(), reason=f"{DEV} is not there")
def test_the_embedded_model_finds_in_dev_what_it_found_before():
    frozen, now = FrozenRun.read(), run_now()
    assert len(frozen.chunks) > 4000
    assert frozen.holds(now), f"{frozen.in_both(now):.4f} in both; python -m benchmarks.frozen_run says more"


@pytest.mark.parametrize(
    ("chunks", "onnxruntime", "holds"),
    [
        (CHUNKS, "1.32.0", True),
        (ONE_LESS, "1.32.0", False),
        (CHUNKS, "1.33.0", True),
        (ONE_LESS, "1.33.0", True),
        (FEWER, "1.33.0", False),
        (frozenset(), "1.33.0", False),
    ],
)
def test_the_same_chunks_here_and_nearly_the_same_elsewhere(chunks, onnxruntime, holds):
    frozen = FrozenRun(where=HERE, chunks=CHUNKS)
    now = FrozenRun(where=HERE | {"onnxruntime": onnxruntime}, chunks=chunks)
    assert frozen.holds(now) is holds


def test_it_is_read_as_it_was_written(tmp_path):
    run = FrozenRun(where=HERE, chunks=CHUNKS)
    run.write(tmp_path / "frozen.json")
    assert FrozenRun.read(tmp_path / "frozen.json") == run
    assert (tmp_path / "frozen.json").read_text().count("\n") == 2 + 7 + 1


def test_what_is_kept_has_no_text():
    kept = FrozenRun.read(FROZEN)
    assert {field.name for field in dataclasses.fields(kept)} == {"where", "chunks"}
    assert {chunk.entity for chunk in kept.chunks} == {"protein", "DNA", "RNA", "cell_line", "cell_type"}


def test_without_the_corpus_it_says_so_in_one_line(tmp_path, monkeypatch):
    app = typer.Typer()
    app.command()(frozen_run.main)
    monkeypatch.setattr(frozen_run, "DEV", tmp_path / "dev.jsonl")
    done = CliRunner().invoke(app, [])
    assert done.exit_code == 1
    assert done.output == f"{tmp_path / 'dev.jsonl'}: no such file; put shared/ beside the project\n"
