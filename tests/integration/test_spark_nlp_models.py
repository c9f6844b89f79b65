"""The model that must fit: of the reference's exact shape, in both of Spark NLP's layouts, through all the pipeline."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.dataset
import pytest

from benchmarks.random_bert import LABELS, REFERENCE, save_graph, vocabulary
from pipelines.light import LightPipeline
from pipelines.models.spark_nlp_assets import read_assets_layout
from pipelines.models.spark_nlp_bundle import read_bundle
from tests.spark_nlp_layouts import MEDICAL, link_model, write_assets, write_bundle, zip_folder

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "docs" / "demo" / "abstracts.jsonl"
TEXTS = [
    "IL-2 gene expression and NF-kappa B activation through CD28 requires reactive oxygen production.",
    "Naïve T cells were stimulated with PMA; mRNA of GM-CSF was not detected in Jurkat cells (Fig. 2).",
    "",
]
MOST_MEMORY = 50 << 20
"""Bytes that reading a bundle may take, whatever the size of its graph, which is 431 MB here."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """The graph of the reference model's shape."""
    folder = tmp_path_factory.mktemp("reference")
    save_graph(folder / "graph.onnx", REFERENCE)
    return folder / "graph.onnx"


def test_the_import_layout_is_read_and_tags(reference, tmp_path, cytotag):
    assert 430e6 < reference.stat().st_size < 432e6
    source = read_assets_layout(write_assets(tmp_path / "assets", graph=reference, shape=REFERENCE))
    assert source.labels == LABELS
    model = link_model(source, tmp_path / "model")
    alone = LightPipeline.from_pretrained(model, threads=2)
    chunks = alone.annotate(TEXTS)
    assert chunks[2] == []
    assert {chunk["entity"] for chunk in chunks[0] + chunks[1]} <= {"DNA", "RNA", "protein", "cell_line", "cell_type"}
    assert chunks == [alone.annotate(text) for text in TEXTS]

    began = time.monotonic()
    done = cytotag("tag", DEMO, "--output", tmp_path / "out", "--model", model, "--actors", "1", "--threads", "2")
    print(f"tag took {time.monotonic() - began:.0f} s")
    assert done.returncode == 0, done.stderr
    rows = pyarrow.dataset.dataset(tmp_path / "out").to_table().to_pylist()
    assert len(rows) > 50
    for document in map(json.loads, DEMO.read_text(encoding="utf-8").splitlines()):
        found = [row for row in rows if row["document_id"] == document["document_id"]]
        found.sort(key=lambda row: row["chunk_id"])
        expected = alone.annotate(document["text"])
        assert [(row["start"], row["end"], row["entity"]) for row in found] == [
            (chunk["start"], chunk["end"], chunk["entity"]) for chunk in expected
        ]


READ = """
import re, sys, time
from pathlib import Path
from pipelines.models.spark_nlp_bundle import read_bundle
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) << 10
before, began = peak(), time.monotonic()
source = read_bundle(Path(sys.argv[1]), Path(sys.argv[2]))
print(peak() - before, time.monotonic() - began)
"""
"""`ru_maxrss` would not do: it counts what the process was that this one was started from."""


def test_a_zipped_bundle_is_read_in_little_memory_and_is_the_same_model(reference, tmp_path):
    bundle = write_bundle(tmp_path / "bundle", graph=reference, shape=REFERENCE, class_name=MEDICAL)
    path = zip_folder(bundle, tmp_path / "bert_token_classifier_ner_jnlpba_cellular_onnx_en.zip")
    (tmp_path / "scratch").mkdir()
    command = [sys.executable, "-c", READ, path, tmp_path / "scratch"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    memory, seconds = map(float, done.stdout.split())
    print(f"{path.stat().st_size / 1e6:.0f} MB: {memory / 1e6:.0f} MB more in memory, {seconds:.1f} s")
    assert 0 < memory < MOST_MEMORY
    assert (tmp_path / "scratch" / "model.onnx").read_bytes() == reference.read_bytes()

    (tmp_path / "again").mkdir()
    source = read_bundle(bundle, tmp_path / "again")
    assert source.labels == LABELS
    assert source.tokenizer_files["vocab.txt"].decode().split() == vocabulary(REFERENCE.vocabulary)
    chunks = LightPipeline.from_pretrained(link_model(source, tmp_path / "model"), threads=2).annotate(TEXTS)
    imported = read_assets_layout(write_assets(tmp_path / "assets", graph=reference, shape=REFERENCE))
    assert chunks == LightPipeline.from_pretrained(link_model(imported, tmp_path / "other"), threads=2).annotate(TEXTS)
    assert len(chunks[0]) > 3
