"""The load benchmark runs, and its answers are LightPipeline's. What it measures is not asserted: machines differ."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.tiny_model import save_model

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_a_handful_of_requests(tmp_path):
    corpus, output = tmp_path / "corpus.jsonl", tmp_path / "figures.json"
    texts = ["il 2 binds the gene", "it binds", "", "the gene"]
    corpus.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
    model = save_model(tmp_path / "model")
    sizes = ["--in-flight", "1", "--in-flight", "3", "--warm-up", "0.2", "--seconds", "1", "--replicas", "1"]
    command = [sys.executable, "-m", "benchmarks.serve_load", "--corpus", corpus, "--model", model, "--output", output]
    run = subprocess.run([*command, *sizes], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == 0, run.stderr
    assert "each with LightPipeline's chunks" in run.stdout
    loads = json.loads(output.read_text(encoding="utf-8"))["loads"]
    assert [(load["batching"], load["in_flight"]) for load in loads] == [("on", 1), ("on", 3), ("off", 1), ("off", 3)]
    for load in loads:
        assert load["answers"] >= load["in_flight"]
        assert 0 < load["p50_ms"] <= load["p95_ms"] <= load["p99_ms"]
        assert load["pieces_per_second"] > 0
        assert load["bare_pieces_per_second"] > 0
