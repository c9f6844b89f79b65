"""A document that kills the process that tags it, or that the model raises on, costs that document and no other."""

import json
import platform

import pyarrow.dataset
import pytest

from pipelines.light import LightPipeline
from tests.integration.tiny_model import WORDS, save_model


@pytest.mark.skipif(platform.machine() != "x86_64", reason="other CPUs do not trap on this division")
def test_the_rest_is_tagged(cytotag, tmp_path):
    texts = {f"d{number}": "the IL2 gene binds it. it binds the gene" for number in range(60)}
    texts["d17"] += " deadly"
    texts["d30"] += " raising"
    corpus = tmp_path / "corpus.jsonl"
    lines = [json.dumps({"document_id": name, "text": text}) for name, text in texts.items()]
    corpus.write_text("\n".join(lines), encoding="utf-8")
    model = save_model(tmp_path / "model", deadly=WORDS.index("deadly"), raising=WORDS.index("raising"))

    done = cytotag("tag", corpus, "--output", tmp_path / "chunks", "--model", model)

    assert done.returncode == 0, done.stderr
    [*errors] = map(json.loads, "".join(p.read_text() for p in (tmp_path / "chunks/_errors").iterdir()).splitlines())
    by_id = {error["document_id"]: error["error"] for error in errors}
    assert set(by_id) == {"d17", "d30"}
    assert "died 2 times while it had this document alone" in by_id["d17"]
    assert "Integer division by zero" in by_id["d30"]
    harmless = LightPipeline.from_pretrained(save_model(tmp_path / "harmless"))
    expected = {
        (name, chunk["start"], chunk["end"], chunk["score"])
        for name, text in texts.items()
        if name not in by_id
        for chunk in harmless.annotate(text)
    }
    rows = pyarrow.dataset.dataset(tmp_path / "chunks").to_table().to_pylist()
    assert len(rows) == len(expected) > 58
    assert {(row["document_id"], row["start"], row["end"], row["score"]) for row in rows} == expected
