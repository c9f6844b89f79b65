"""A baseline and its update files, tagged at once, day by day, and through a kill: the same dataset, and a true one."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.dataset
import pytest

from benchmarks.pubmed_generator import write_baseline

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    return write_baseline(tmp_path_factory.mktemp("pubmed"), files=2, citations=40, updates=3, seed=3, sentences=4)


def start(ray_address, output, *arguments):
    command = [sys.executable, "-m", "pipelines", "tag", *map(str, arguments), "--output", output]
    return subprocess.Popen(
        [*command, "--address", ray_address], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


@pytest.fixture
def tag(ray_address, tmp_path):
    """Tags the files that are named into the folder of that name; gives what the command said."""

    def run(name, *arguments, code=0):
        with start(ray_address, tmp_path / name, *arguments) as process:
            said, _ = process.communicate(timeout=600)
        assert process.returncode == code, said
        return said

    return run


def rows_of(folder):
    rows = pyarrow.dataset.dataset(folder).to_table().to_pylist()
    return sorted(rows, key=lambda row: (row["source"], row["ordinal"], row["chunk_id"]))


def manifest_of(folder):
    return json.loads((folder / "_manifest.json").read_text(encoding="utf-8"))


def assert_true(folder, truth):
    """The rows are of the last word on each PMID, and of nothing else; the counts are right, in all and by file."""
    rows = rows_of(folder)
    assert len({row["document_id"] for row in rows}) > 0.9 * len(truth.texts)
    for row in rows:
        assert Path(row["source"]).name == truth.sources[row["document_id"]]
        assert row["text"] == truth.texts[row["document_id"]][row["start"] : row["end"]]
    manifest = manifest_of(folder)
    assert manifest["state"] == "finished"
    counts = manifest["counts"]
    assert counts["documents"] == len(truth.texts)
    assert (counts["superseded"], counts["deleted"]) == (truth.superseded, truth.deleted)
    assert sum(counts["chunks"].values()) == len(rows)
    for one in manifest["inputs"]:
        name = Path(one["path"]).name
        assert one["documents"] == list(truth.sources.values()).count(name)
        assert one["documents"] + one["superseded"] + one["deleted"] == truth.records[name]


@pytest.mark.slow
def test_at_once_day_by_day_and_through_a_kill(tag, truth, ray_address, tmp_path):
    said = tag("at once", *truth.updates, *truth.baseline)  # named in the wrong order
    assert f"superseded {truth.superseded}" in " ".join(said.split())
    assert_true(tmp_path / "at once", truth)

    tag("daily", *truth.baseline)
    assert len({row["document_id"] for row in rows_of(tmp_path / "daily")}) > len(truth.baseline) * 30
    for update in truth.updates:
        scanned = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "daily" / "_citations").iterdir()}
        tag("daily", update, "--resume")
        kept = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "daily" / "_citations").iterdir()}
        assert len(kept) == len(scanned) + 1
        assert scanned.items() < kept.items()
    assert rows_of(tmp_path / "daily") == rows_of(tmp_path / "at once")
    assert_true(tmp_path / "daily", truth)

    killed = tmp_path / "killed"
    tag("killed", *truth.baseline)
    before = set(killed.glob("part-*.parquet"))
    with start(ray_address, killed, *truth.updates, "--resume") as process:
        deadline = time.monotonic() + 300
        while not set(killed.glob("part-*.parquet")) - before and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert manifest_of(killed)["state"] == "running"
    tag("killed", *truth.updates, "--resume")
    assert rows_of(killed) == rows_of(tmp_path / "at once")
    assert_true(killed, truth)


def test_a_file_of_the_run_that_was_killed_must_be_named_again(tag, truth, ray_address, tmp_path):
    with start(ray_address, tmp_path / "o", *truth.baseline) as process:
        while not (tmp_path / "o" / "_manifest.json").exists():
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    said = tag("o", truth.updates[0], "--resume", code=1)
    assert said == f"cytotag: {truth.baseline[0]}: is part of this run and was not tagged to its end; name it again\n"


def test_two_baselines_are_refused_before_any_work(tag, truth, tmp_path):
    other = tmp_path / "pubmed25n0001.xml.gz"
    other.write_bytes(truth.baseline[0].read_bytes())
    said = tag("o", other, *truth.baseline, code=1)
    assert said.count("\n") == 1
    assert "another year" in said
    assert not (tmp_path / "o").exists()
