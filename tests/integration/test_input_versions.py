"""Which input files a run that goes on reads, refuses and sets aside."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.dataset
import pytest

from pipelines.outputs.manifest import Manifest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def tag(ray_address, tmp_path):
    def run(*options):
        arguments = [tmp_path / "corpus", "--output", tmp_path / "chunks", *options, "--address", ray_address]
        return subprocess.run(
            [sys.executable, "-m", "pipelines", "tag", *map(str, arguments)],
            cwd=ROOT, capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip

    (tmp_path / "corpus").mkdir()
    return run


def document(name):
    return json.dumps({"document_id": name, "text": "IL-2 mRNA in Jurkat cells."}).encode() + b"\n"


def tagged(folder):
    return set(pyarrow.dataset.dataset(folder).to_table()["document_id"].to_pylist())


@pytest.mark.slow
def test_a_file_that_its_md5_does_not_fit_is_set_aside_until_it_was_downloaded_again(tag, tmp_path):
    corpus, output = tmp_path / "corpus", tmp_path / "chunks"
    md5 = hashlib.md5(document("second"), usedforsecurity=False).hexdigest()
    (corpus / "a.jsonl").write_bytes(document("first"))
    (corpus / "b.jsonl").write_bytes(document("secone"))
    (corpus / "b.jsonl.md5").write_text(f"MD5(b.jsonl)= {md5}\n")

    done = tag()

    assert done.returncode == 3, done.stderr
    assert f"error: {corpus}/b.jsonl: its MD5 is " in done.stderr
    assert f"set aside, each with its reason in {output}/_errors: 1" in done.stderr
    assert tagged(output) == {"first"}
    manifest = Manifest.read(output)
    assert manifest.state == "finished with errors"
    assert [(Path(one["path"]).name, one["complete"]) for one in manifest.inputs] == [
        ("a.jsonl", True), ("b.jsonl", False),
    ]  # fmt: skip
    [error] = map(json.loads, (output / "_errors" / "inputs.jsonl").read_text().splitlines())
    assert error["source"] == f"{corpus}/b.jsonl"

    assert tag("--resume").returncode == 3  # it is no better

    (corpus / "b.jsonl").write_bytes(document("second"))
    os.utime(corpus / "a.jsonl", ns=(1, 1))  # touched, and so hashed again, and the same
    resumed = tag("--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert tagged(output) == {"first", "second"}
    assert Manifest.read(output).state == "finished"
    assert not list((output / "_errors").iterdir())

    (corpus / "a.jsonl").write_bytes(document("fir5t"))
    refused = tag("--resume")
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert refused.stderr.startswith(f"cytotag: {corpus}/a.jsonl: changed since it was tagged; put back the file")
    assert tagged(output) == {"first", "second"}


def test_a_lone_file_that_its_md5_does_not_fit_is_one_line_and_deletes_nothing(tag, tmp_path):
    corpus, output = tmp_path / "corpus", tmp_path / "chunks"
    (corpus / "a.jsonl").write_bytes(document("first"))
    assert tag().returncode == 0
    (corpus / "a.jsonl.md5").write_text(f"{'0' * 32}  a.jsonl\n")

    done = tag("--overwrite")

    assert done.returncode == 1
    assert done.stderr.startswith(f"cytotag: {corpus}/a.jsonl: its MD5 is ")
    assert done.stderr.count("\n") == 1
    assert tagged(output) == {"first"}
    assert Manifest.read(output).state == "finished"
