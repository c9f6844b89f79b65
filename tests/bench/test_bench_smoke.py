"""The speed suite runs to its end, on a tiny model and a few abstracts. No time is asserted: machines differ."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from matplotlib.image import imread

from benchmarks.suite import ROWS

ROOT = Path(__file__).parents[2]
CORPUS = ROOT / "docs" / "demo" / "abstracts.jsonl"


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return tmp_path_factory.mktemp("models")


@pytest.mark.parametrize("name", ROWS)
def test_a_row(tmp_path, models, name):
    command = [sys.executable, "-m", "benchmarks.suite", "--smoke", "--row", name, "--output", tmp_path]
    run = subprocess.run(
        [*command, "--corpus", CORPUS, "--models", models], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    written = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert written["failed"] == {}
    assert written["rows"]
    for row in written["rows"]:
        assert row["unit"]
        if "fp32" in row["name"] and row["equal_chunks"] is not None:
            assert row["equal_chunks"], row["note"]  # the same floats, the same chunks
    assert len(imread(tmp_path / "results.png"))
