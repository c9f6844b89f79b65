"""`cytotag` from one bucket to another, against a real S3 server, on a Ray of its own that inherits the credentials."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset
import pytest

from pipelines.outputs.dataset import chunk_tables
from pipelines.outputs.manifest import Manifest
from pipelines.storage import StorePath

ROOT = Path(__file__).parents[2]
TEXTS = {f"d{number}": f"IL-{number} mRNA in Jurkat cells. NF-kappa B binds p{number}. " * 20 for number in range(250)}
BY_PLACE = [("document_id", "ascending"), ("chunk_id", "ascending")]


def command(*arguments):
    return [sys.executable, "-m", "pipelines", *map(str, arguments)]


def cytotag(*arguments, **environment):
    return subprocess.run(
        command(*arguments), cwd=ROOT, capture_output=True, text=True, timeout=600, check=False,
        env=os.environ | environment,
    )  # fmt: skip


def corpus_bytes(texts):
    return "".join(json.dumps({"document_id": name, "text": text}) + "\n" for name, text in texts.items()).encode()


def rows(tables):
    return pa.concat_tables(tables).sort_by(BY_PLACE).drop_columns(["source"])


@pytest.mark.slow
@pytest.mark.usefixtures("s3_server")
def test_a_killed_run_in_a_store_resumes_to_the_dataset_of_an_undisturbed_local_one(bucket, ray_address, tmp_path):
    corpus, output, local = bucket / "in" / "corpus.jsonl", bucket / "out", tmp_path / "local"
    corpus.write_bytes(corpus_bytes(TEXTS))
    (tmp_path / "corpus.jsonl").write_bytes(corpus_bytes(TEXTS))
    done = cytotag("tag", tmp_path / "corpus.jsonl", "--output", local, "--address", ray_address)
    assert done.returncode == 0, done.stderr

    with subprocess.Popen(command("tag", corpus.parent, "--output", output), cwd=ROOT) as process:
        deadline = time.monotonic() + 300
        while not list(output.glob("part-*.parquet")) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        process.send_signal(signal.SIGKILL)
    at_kill = len(list(output.glob("part-*.parquet")))
    assert 0 < at_kill < len(list(local.glob("part-*.parquet"))), "the run was over before it was killed"

    resumed = cytotag("tag", corpus.parent, "--output", output, "--resume")

    assert resumed.returncode == 0, resumed.stderr
    assert f"dataset: {output}" in resumed.stderr
    assert "Traceback" not in resumed.stderr
    assert rows(chunk_tables(output)).equals(rows([pyarrow.dataset.dataset(local).to_table()]))
    manifest = Manifest.read(output)
    assert manifest.counts["documents"] == len(TEXTS)
    assert [one["path"] for one in manifest.inputs] == [str(corpus)]
    assert os.environ["AWS_SECRET_ACCESS_KEY"] not in (output / "_manifest.json").read_bytes().decode()
    assert not list(output.glob("_ray.log"))

    shown = cytotag("show", output, "--limit", 3)
    assert shown.returncode == 0, shown.stderr
    assert "Jurkat" in shown.stdout

    gold = tmp_path / "gold.jsonl"
    gold.write_text(json.dumps({"document_id": "d0", "text": TEXTS["d0"], "entities": []}) + "\n")
    scores = [cytotag("evaluate", "--gold", gold, "--predictions", place) for place in (output, local)]
    assert scores[0].returncode == 0, scores[0].stderr
    assert scores[0].stdout == scores[1].stdout

    compacted = cytotag("compact", output)
    assert compacted.returncode == 0, compacted.stderr
    assert len(list(output.glob("part-*.parquet"))) == 1
    assert rows(chunk_tables(output)).equals(rows([pyarrow.dataset.dataset(local).to_table()]))
    verified = cytotag("verify", output, "--against", corpus.parent)
    assert verified.returncode == 0, verified.stdout
    converted = cytotag("convert", output, "--to", "jsonl", "--output", tmp_path / "converted")
    assert converted.returncode == 0, converted.stderr
    [file] = (tmp_path / "converted").glob("*.jsonl")
    assert len(file.read_text(encoding="utf-8").splitlines()) == len(TEXTS)


def refused(*arguments, **environment):
    """What a run that cannot begin says, in its one line."""
    done = cytotag("tag", *arguments, **environment)
    assert done.returncode == 1
    assert done.stderr.startswith("cytotag: ")
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


@pytest.fixture
def text(tmp_path):
    (tmp_path / "a.txt").write_text("IL-2 mRNA in Jurkat cells.")
    return tmp_path / "a.txt"


def test_a_bucket_that_is_not_there_is_one_line(bucket, text):
    nowhere = StorePath(f"{bucket}-nowhere")
    assert "NO_SUCH_BUCKET" in refused(text, "--output", nowhere / "out")
    assert f"{nowhere}/in: no such object" in refused(nowhere / "in", "--output", text.parent / "out")


def test_a_key_that_is_not_known_is_one_line(bucket, text, refused_key):  # noqa: ARG001
    assert "cannot be used as the output folder (" in refused(text, "--output", bucket / "out")
    assert "check the address, the credentials" in refused(bucket / "in", "--output", text.parent / "out")


def test_a_server_that_does_not_answer_is_one_line_and_soon(text):
    began = time.monotonic()
    keys = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
    said = refused(text, "--output", "s3://bucket/out", AWS_ENDPOINT_URL_S3="http://127.0.0.1:9", **keys)
    assert "NETWORK_CONNECTION" in said
    assert time.monotonic() - began < 120


def test_credentials_in_an_address_are_refused_and_not_repeated(text):
    said = refused(text, "--output", "s3://A-KEY:A-SECRET@bucket/out")
    assert "credentials do not belong into an address" in said
    assert "A-KEY" not in said
    assert "A-SECRET" not in said
