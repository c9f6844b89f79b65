"""`cytotag tag` as a user runs it: a process of its own, real files, a real Ray."""

import gzip
import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.dataset
import pytest

from pipelines.schema import CHUNK_ROW

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared"
DEMO = ROOT / "docs" / "demo"

needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason=f"the corpora are not at {SHARED}")


def write_jsonl(path, texts):
    lines = [json.dumps({"document_id": document_id, "text": text}) for document_id, text in texts.items()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def rows_of(folder):
    rows = pyarrow.dataset.dataset(folder).to_table().to_pylist()
    return sorted(rows, key=lambda row: (row["source"], row["document_id"], row["chunk_id"]))


def test_the_demo_corpus_on_a_ray_of_its_own(tmp_path):
    output = tmp_path / "chunks"

    done = subprocess.run(
        [sys.executable, "-m", "pipelines", "tag", DEMO, "--output", output],
        cwd=ROOT, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    dataset = pyarrow.dataset.dataset(output)
    assert dataset.schema.equals(CHUNK_ROW, check_metadata=False)
    rows = dataset.to_table().to_pylist()
    texts = {
        json.loads(line)["document_id"]: json.loads(line)["text"]
        for line in (DEMO / "abstracts.jsonl").read_text(encoding="utf-8").splitlines()
    } | {path.stem: path.read_text(encoding="utf-8") for path in (DEMO / "texts").iterdir()}
    in_files = [row for row in rows if row["document_id"] in texts]
    assert len(in_files) > 30
    assert all(texts[row["document_id"]][row["start"] : row["end"]] == row["text"] for row in in_files)
    assert {row["document_id"] for row in rows} >= {"99000001", "99000002"}
    manifest = json.loads((output / "_manifest.json").read_text(encoding="utf-8"))
    assert manifest["state"] == "finished"
    assert manifest["counts"]["documents"] == 8
    assert sum(manifest["counts"]["chunks"].values()) == len(rows)
    assert {Path(one["path"]).name: one["documents"] for one in manifest["inputs"]} == {
        "abstracts.jsonl": 4, "interferon.txt": 1, "protein-kinase-c.txt": 1, "pubmed-sample.xml": 2,
    }  # fmt: skip
    assert len(manifest["model"]["sha256"]) == 64
    assert "Traceback" not in done.stderr
    assert "\x1b" not in done.stderr  # no colours, no progress: this is no terminal


def test_a_second_run_refuses_resumes_or_overwrites(cytotag, tmp_path):
    corpus, output = tmp_path / "corpus", tmp_path / "chunks"
    corpus.mkdir()
    write_jsonl(corpus / "a.jsonl", {"a1": "IL-2 mRNA in Jurkat cells.", "a2": "NF-kappa B binds DNA."})
    assert cytotag("tag", corpus, "--output", output).returncode == 0
    first = rows_of(output)
    assert first

    refused = cytotag("tag", corpus, "--output", output)
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert str(output) in refused.stderr
    assert "--resume" in refused.stderr
    assert rows_of(output) == first

    write_jsonl(corpus / "b.jsonl", {"b1": "TNF-alpha in human monocytes."})
    resumed = cytotag("tag", corpus, "--output", output, "--resume")
    assert resumed.returncode == 0, resumed.stderr
    both = rows_of(output)
    assert [row for row in both if row["document_id"] != "b1"] == first
    assert [row for row in both if row["document_id"] == "b1"]

    other = cytotag("tag", corpus, "--output", output, "--resume", "--threshold", "0.9")
    assert other.returncode == 1
    assert "threshold" in other.stderr

    replaced = cytotag("tag", corpus / "b.jsonl", "--output", output, "--overwrite")
    assert replaced.returncode == 0, replaced.stderr
    assert rows_of(output) == [row for row in both if row["document_id"] == "b1"]


@pytest.mark.slow
def test_a_killed_run_resumes_to_the_same_dataset(cytotag, ray_address, tmp_path):
    texts = {
        f"d{number}": f"IL-{number} mRNA in Jurkat cells. NF-kappa B binds p{number}. " * 20 for number in range(250)
    }
    corpus = write_jsonl(tmp_path / "corpus.jsonl", texts)
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    assert cytotag("tag", corpus, "--output", undisturbed).returncode == 0

    command = ["tag", corpus, "--output", killed, "--address", ray_address]
    with subprocess.Popen([sys.executable, "-m", "pipelines", *map(str, command)], cwd=ROOT) as process:
        deadline = time.monotonic() + 300
        while not list(killed.glob("part-*.parquet")) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    at_kill = len(list(killed.glob("part-*.parquet")))
    assert at_kill < len(list(undisturbed.glob("part-*.parquet"))), "the run was over before it was killed"

    resumed = cytotag("tag", corpus, "--output", killed, "--resume")

    assert resumed.returncode == 0, resumed.stderr
    assert rows_of(killed) == rows_of(undisturbed)
    assert json.loads((killed / "_manifest.json").read_text())["counts"]["documents"] == len(texts)


def test_bad_records_are_set_aside_and_the_rest_is_tagged(cytotag, tmp_path):
    corpus = tmp_path / "corpus.jsonl"
    good = json.dumps({"document_id": "good", "text": "IL-2 mRNA in Jurkat cells."})
    bad = [
        "[]",
        "{",
        '{"document_id": "x"}',
        '{"document_id": "x", "text": 7}',
        '{"document_id": "x", "text": "\\ud800"}',
    ]
    corpus.write_text("\n".join([good, *bad, good]) + "\n", encoding="utf-8")
    output = tmp_path / "chunks"

    done = cytotag("tag", corpus, "--output", output)

    assert done.returncode == 0, done.stderr
    errors = [json.loads(line) for path in (output / "_errors").iterdir() for line in path.read_text().splitlines()]
    assert sorted(error["ordinal"] for error in errors) == [1, 2, 3, 4, 5]
    assert all(f"line {error['ordinal'] + 1}" in error["error"] for error in errors)
    assert len({row["text"] for row in rows_of(output)}) >= 2
    assert "_errors: 5" in done.stderr


def test_a_file_that_breaks_off_is_named_and_the_others_are_tagged(cytotag, tmp_path):
    corpus, output = tmp_path / "corpus", tmp_path / "chunks"
    corpus.mkdir()
    write_jsonl(corpus / "good.jsonl", {"good": "IL-2 mRNA in Jurkat cells."})
    lines = "".join(
        json.dumps({"document_id": f"b{i}", "text": f"p{i} binds NF-kappa B {i * 7919}."}) + "\n" for i in range(3000)
    )
    whole = gzip.compress(lines.encode())
    (corpus / "broken.jsonl.gz").write_bytes(whole[: len(whole) // 2])

    done = cytotag("tag", corpus, "--output", output)

    assert done.returncode == 3, done.stderr
    assert "broken.jsonl.gz" in done.stderr
    documents = {row["document_id"] for row in rows_of(output)}
    assert "good" in documents
    assert "b0" in documents  # what stood before the break


@pytest.mark.parametrize(
    ("name", "content"),
    [("not.xml", b"this is not XML"), ("not.jsonl.gz", b"this is not gzip"), ("not.parquet", b"this is not Parquet")],
)
def test_a_lone_file_that_cannot_be_read_fails_the_run(cytotag, tmp_path, name, content):
    (tmp_path / name).write_bytes(content)

    done = cytotag("tag", tmp_path / name, "--output", tmp_path / "chunks")

    assert done.returncode == 1
    assert name in done.stderr
    assert "Traceback" not in done.stderr


def test_jsonl_holds_the_same_rows_as_parquet(cytotag, tmp_path):
    corpus = write_jsonl(tmp_path / "corpus.jsonl", {"1": "IL-2 mRNA in Jurkat cells.\nβ-actin 𝛼 in HeLa cells."})
    assert cytotag("tag", corpus, "--output", tmp_path / "parquet").returncode == 0
    assert cytotag("tag", corpus, "--output", tmp_path / "jsonl", "--output-format", "jsonl").returncode == 0

    lines = [line for path in (tmp_path / "jsonl").glob("*.jsonl") for line in path.read_text("utf-8").splitlines()]
    rounded = [{**row, "score": round(row["score"], 6)} for row in rows_of(tmp_path / "parquet")]
    assert [json.loads(line) for line in lines] == rounded
    shown = cytotag("show", tmp_path / "jsonl")
    assert "Jurkat cells" in shown.stdout


def test_white_list_and_threshold(cytotag, tmp_path):
    corpus = write_jsonl(
        tmp_path / "corpus.jsonl", {"1": "IL-2 mRNA in Jurkat cells and the IL-2 promoter in monocytes."}
    )
    assert cytotag("tag", corpus, "--output", tmp_path / "all").returncode == 0
    everything = rows_of(tmp_path / "all")
    cut = sorted(row["score"] for row in everything)[1]

    assert cytotag("tag", corpus, "--output", tmp_path / "dna", "--white-list", "DNA").returncode == 0
    assert cytotag("tag", corpus, "--output", tmp_path / "sure", "--threshold", cut).returncode == 0

    def spans(rows):
        return [(row["start"], row["end"], row["entity"]) for row in rows]

    assert spans(rows_of(tmp_path / "dna")) == spans(row for row in everything if row["entity"] == "DNA")
    assert spans(rows_of(tmp_path / "sure")) == spans(row for row in everything if row["score"] >= cut)
    assert len(rows_of(tmp_path / "sure")) == len(everything) - 1


def test_progress_is_shown_on_a_terminal(ray_address, tmp_path):
    corpus = write_jsonl(tmp_path / "corpus.jsonl", {str(i): "IL-2 mRNA in Jurkat cells. " * 20 for i in range(300)})
    terminal, process_side = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "pipelines", "tag", corpus, "--output", tmp_path / "chunks", "--address", ray_address],
        cwd=ROOT, stdin=process_side, stdout=process_side, stderr=process_side, env={**os.environ, "TERM": "xterm"},
    )  # fmt: skip
    os.close(process_side)
    seen = b""
    try:
        while read := os.read(terminal, 65536):
            seen += read
    except OSError:  # Linux's way of saying that the other side has closed
        pass
    assert process.wait(timeout=60) == 0
    assert b"documents/s" in seen
    assert b"tokens/s" in seen


@needs_shared
def test_the_real_abstracts_of_dev(cytotag, tmp_path):
    gold = SHARED / "jnlpba" / "dev.jsonl"
    assert cytotag("tag", gold, "--output", tmp_path / "chunks").returncode == 0

    scored = cytotag("evaluate", "--gold", gold, "--predictions", tmp_path / "chunks")

    assert scored.returncode == 0, scored.stderr
    micro = next(line for line in scored.stdout.splitlines() if "micro" in line)
    assert float(micro.split("│")[4]) >= 76.5
    assert "200 gold documents, 0 with no prediction row" in scored.stdout
    assert "another text than the gold" not in scored.stdout


@needs_shared
def test_the_real_pubmed_files(cytotag, tmp_path):
    done = cytotag("tag", SHARED / "pubmed", "--output", tmp_path / "chunks")

    assert done.returncode == 0, done.stderr
    manifest = json.loads((tmp_path / "chunks" / "_manifest.json").read_text(encoding="utf-8"))
    assert manifest["counts"]["documents"] == 50
    assert manifest["counts"]["superseded"] == 2  # second versions, of one PMID each
    assert manifest["counts"]["errors"] == 0
    assert len(manifest["inputs"]) == 17
    assert {"29768149", "32260179"} <= {row["document_id"] for row in rows_of(tmp_path / "chunks")}
