"""What is done with a dataset after the run: verified, compacted, gone on with."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.dataset_documents import documents_of
from pipelines.outputs.dataset import chunk_tables

TEXT = "IL-{0} mRNA in Jurkat cells.\nNF-kappa B binds the p{0} promoter in 𝛼-T cells." + "\n" * 3000
"""Much text for a block, and little work for the model."""


def write_jsonl(path, numbers):
    texts = {f"{path.stem}{number}": TEXT.format(number) for number in numbers}
    lines = [json.dumps({"document_id": document_id, "text": text}) for document_id, text in texts.items()]
    path.write_text("\n".join([*lines, "not JSON"]) + "\n", encoding="utf-8")
    return path


def chunks_of(folder):
    rows = pa.concat_tables(chunk_tables(folder)).to_pylist()
    return sorted(rows, key=lambda row: (row["source"], row["ordinal"], row["chunk_id"]))


@pytest.fixture
def succeeds(cytotag):
    def run(*arguments):
        done = cytotag(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.mark.slow
@pytest.mark.parametrize("output_format", ["parquet", "documents"])
def test_tag_verify_compact_verify_resume_verify(cytotag, succeeds, tmp_path, output_format):
    corpus, chunks = tmp_path / "corpus", tmp_path / "chunks"
    corpus.mkdir()
    for name in ("a", "b"):
        write_jsonl(corpus / f"{name}.jsonl", range(60))
    tag = ("tag", corpus, "--output", chunks, "--output-format", output_format)

    succeeds(*tag)
    first, parts = chunks_of(chunks), len(list(chunks.glob("part-*.parquet")))
    assert parts > 1
    assert succeeds("verify", chunks, "--against", corpus).count("│ true") == 6

    assert "parts" in succeeds("compact", chunks)
    assert chunks_of(chunks) == first
    assert len(list(chunks.glob("part-*.parquet"))) == 1
    assert succeeds("verify", chunks, "--against", corpus).count("│ true") == 6

    write_jsonl(corpus / "c.jsonl", range(3))
    told = cytotag("verify", chunks, "--against", corpus)
    assert told.returncode == 1
    assert f"{corpus}/c.jsonl: is not in the dataset; " in told.stdout
    succeeds(*tag, "--resume")
    assert [row for row in chunks_of(chunks) if not row["document_id"].startswith("c")] == first
    assert len(chunks_of(chunks)) > len(first)
    assert len(list(chunks.glob("part-*.parquet"))) > 1
    assert succeeds("verify", chunks, "--against", corpus).count("│ true") == 6

    manifest = json.loads((chunks / "_manifest.json").read_text(encoding="utf-8"))
    for one in manifest["inputs"]:
        rows = [row for row in chunks_of(chunks) if row["source"] == one["path"]]
        count = 4 if Path(one["path"]).stem == "c" else 61
        assert (one["documents"], one["errors"], one["chunks"]) == (count, 1, len(rows))
        assert (one["superseded"], one["deleted"], one["complete"]) == (0, 0, True)
    assert manifest["counts"]["documents"] == 126

    documents = [row for table in documents_of(chunks) for row in table.to_pylist()]
    assert len(documents) == 126
    texts = {(row["source"], row["ordinal"]): row["text"] for row in documents}
    nested = [(row["source"], row["ordinal"], chunk) for row in documents for chunk in row["chunks"]]
    assert len(nested) == len(chunks_of(chunks))
    for source, ordinal, chunk in nested:
        assert texts[source, ordinal][chunk["start"] : chunk["end"]] == chunk["text"]
    assert [row["ordinal"] for row in documents if row["error"]].count(60) == 2

    next(chunks.glob("part-*-merged.parquet")).unlink()
    lost = cytotag("verify", chunks)
    assert lost.returncode == 1
    assert f"{corpus}/a.jsonl: all its records are missing; " in lost.stdout
    succeeds(*tag, "--resume")
    assert [row for row in chunks_of(chunks) if not row["document_id"].startswith("c")] == first
    assert succeeds("verify", chunks, "--against", corpus).count("│ true") == 6


@pytest.mark.slow
def test_a_dataset_of_documents_is_shown_and_scored(succeeds, tmp_path):
    text = "IL-2 mRNA in Jurkat cells.\nβ-actin 𝛼 in HeLa cells."
    corpus = tmp_path / "gold.jsonl"
    entities = [{"start": 13, "end": 25, "entity": "cell_line"}]
    corpus.write_text(json.dumps({"document_id": "1", "text": text, "entities": entities}) + "\n", encoding="utf-8")
    for output_format in ("parquet", "documents"):
        succeeds("tag", corpus, "--output", tmp_path / output_format, "--output-format", output_format)

    [part] = (tmp_path / "documents").glob("part-*.parquet")
    [row] = pq.read_table(part).to_pylist()
    assert row["text"] == text
    assert chunks_of(tmp_path / "documents") == chunks_of(tmp_path / "parquet")
    shown = succeeds("show", tmp_path / "documents")
    assert "Jurkat cells" in shown
    assert shown == succeeds("show", tmp_path / "parquet")
    scores = [
        succeeds("evaluate", "--gold", corpus, "--predictions", tmp_path / name) for name in ("documents", "parquet")
    ]
    assert scores[0] == scores[1]
    assert "1 gold documents, 0 with no prediction row" in scores[0]
