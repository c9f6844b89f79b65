"""Kills at random moments, kills at the worst moment, a lost node: after `--resume`, the undisturbed dataset."""

import gzip
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pyarrow.dataset
import pytest

from tests.integration.local_cluster import local_cluster

ROOT = Path(__file__).parents[2]
SEED = 20_261_123
DRIVER_KILLS, ACTOR_KILLS = 5, 8
DOCUMENTS = 2_000
CLASSIFIER = "GuardedTokenClassifier"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Two files of documents that all differ, one of them compressed, with records in error between them."""
    folder = tmp_path_factory.mktemp("corpus")
    rng = random.Random(SEED)  # noqa: S311  # texts, no secrets
    words = "IL-2 mRNA NF-kappa B binds the promoter in Jurkat T cells of human monocytes".split()  # noqa: SIM905

    def line(number):
        text = ". ".join(" ".join(rng.choices(words, k=12)) for _ in range(8))
        return json.dumps({"document_id": f"d{number}", "text": text if number % 50 else number})

    lines = [line(number) for number in range(DOCUMENTS)]
    (folder / "a.jsonl").write_text("\n".join(lines[: DOCUMENTS // 2]), encoding="utf-8")
    with gzip.open(folder / "b.jsonl.gz", "wt", encoding="utf-8") as file:
        file.write("\n".join(lines[DOCUMENTS // 2 :]))
    return folder


@pytest.fixture(scope="module")
def undisturbed(cytotag, corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed") / "chunks"
    assert cytotag("tag", corpus, "--output", folder).returncode == 0
    assert len(rows_of(folder)) > DOCUMENTS
    return folder


def rows_of(folder):
    rows = pyarrow.dataset.dataset(folder).to_table().to_pylist()
    return sorted(rows, key=lambda row: (row["source"], row["ordinal"], row["chunk_id"]))


def errors_of(folder):
    lines = [line for path in (folder / "_errors").iterdir() for line in path.read_text("utf-8").splitlines()]
    return sorted(lines)


def counts_of(folder):
    """What the manifest says was tagged; without the time that it took."""
    counts = json.loads((folder / "_manifest.json").read_text(encoding="utf-8"))["counts"]
    return {name: value for name, value in counts.items() if name != "model_seconds"}


def assert_same(folder, undisturbed):
    assert rows_of(folder) == rows_of(undisturbed)
    assert errors_of(folder) == errors_of(undisturbed)
    assert counts_of(folder) == counts_of(undisturbed)
    assert counts_of(folder)["documents"] == DOCUMENTS
    assert not list(folder.rglob("*.tmp"))


def classifiers(raylet_of):
    """The processes with a model, of the Ray that the process `raylet_of` started."""
    found = []
    for process in psutil.Process(raylet_of).children(recursive=True):
        try:
            if CLASSIFIER in " ".join(process.cmdline()):
                found.append(process)
        except psutil.Error:  # it ended since
            continue
    return found


def parts(folder):
    return set(folder.glob("part-*.parquet"))


@pytest.mark.slow
def test_five_kills_of_the_driver_and_kills_of_actors_at_random(
    cytotag, ray_address, corpus, undisturbed, tmp_path, capsys
):
    rng = random.Random(SEED)  # noqa: S311
    output = tmp_path / "chunks"
    stop, actors_killed = threading.Event(), []

    def kill_actors():
        while len(actors_killed) < ACTOR_KILLS and not stop.wait(rng.uniform(4, 15)):
            while not (running := classifiers(os.getpid())) and not stop.wait(0.1):
                pass
            if running:
                victim = rng.choice(running)
                victim.kill()
                actors_killed.append(victim.pid)

    command = ["tag", corpus, "--output", output, "--resume", "--address", ray_address]
    committed = []
    killer = threading.Thread(target=kill_actors)
    killer.start()
    try:
        for kill in range(DRIVER_KILLS):
            before = len(parts(output))
            share = (len(parts(undisturbed)) - before) // (DRIVER_KILLS - kill + 1)
            assert share, "not enough is left for the kills that are to come: make the corpus larger"
            with subprocess.Popen([sys.executable, "-m", "pipelines", *map(str, command)], cwd=ROOT) as process:
                # Half of them anywhere, Ray's start and the first part included. All at the latest when a share of
                # the work is committed, so that a fast machine leaves some for the next; a lost actor may hold that up.
                deadline = time.monotonic() + (rng.uniform(1, 8) if kill % 2 else 20)
                while len(parts(output)) < before + share and process.poll() is None and time.monotonic() < deadline:
                    time.sleep(0.02)
                time.sleep(rng.uniform(0, 0.3))
                assert process.poll() is None, "the run was over before it could be killed: make the corpus larger"
                process.send_signal(signal.SIGKILL)
            committed.append(len(parts(output)))
        resumed = cytotag("tag", corpus, "--output", output, "--resume")
    finally:
        stop.set()
        killer.join()

    assert resumed.returncode == 0, resumed.stderr
    with capsys.disabled():
        print(f"\n{DRIVER_KILLS} drivers and {len(actors_killed)} actors killed, with {committed} parts committed then")
    assert actors_killed
    assert_same(output, undisturbed)


KILL_BETWEEN_WRITING_AND_RENAMING = """
import os, pathlib, signal
replace = pathlib.Path.replace
def replace_or_die(self, target):
    if str(target).endswith(".parquet"):
        try:
            os.unlink({flag!r})  # once, by whoever comes first
        except FileNotFoundError:
            pass
        else:
            assert self.stat().st_size
            os.kill(int(os.environ["DRIVER"]), signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)
    return replace(self, target)
pathlib.Path.replace = replace_or_die
"""


@pytest.mark.slow
def test_a_kill_between_the_temporary_file_and_its_rename(cytotag, corpus, undisturbed, tmp_path):
    output, flag, patch = tmp_path / "chunks", tmp_path / "flag", tmp_path / "patch"
    flag.touch()
    patch.mkdir()
    (patch / "sitecustomize.py").write_text(KILL_BETWEEN_WRITING_AND_RENAMING.format(flag=str(flag)), encoding="utf-8")
    # A Ray of its own, so that its workers have the patch; `exec` makes the shell's number the driver's.
    run = f'DRIVER=$$ exec "{sys.executable}" -m pipelines tag "{corpus}" --output "{output}"'
    done = subprocess.run(
        ["/bin/sh", "-c", run], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(patch)}, timeout=300, check=False
    )
    assert done.returncode == -signal.SIGKILL
    assert not flag.exists()
    assert list(output.glob(".part-*.tmp"))  # written whole, never renamed

    resumed = cytotag("tag", corpus, "--output", output, "--resume")

    assert resumed.returncode == 0, resumed.stderr
    assert_same(output, undisturbed)


FAST_HEALTH_CHECKS = {
    "health_check_initial_delay_ms": 500,
    "health_check_period_ms": 500,
    "health_check_timeout_ms": 2000,
    "health_check_failure_threshold": 3,
}


@pytest.mark.slow
def test_a_node_is_lost_with_the_actors_on_it(corpus, undisturbed, tmp_path):
    output = tmp_path / "chunks"
    with local_cluster({"num_cpus": 0, "_system_config": FAST_HEALTH_CHECKS}, {"num_cpus": 4}) as cluster:
        cluster.add_node(num_cpus=2, labels={"to": "be-lost"})
        command = ["tag", corpus, "--output", output, "--address", cluster.address, "--actors", "3"]
        with subprocess.Popen(
            [sys.executable, "-m", "pipelines", *map(str, command)], cwd=ROOT, env=cluster.environment
        ) as process:
            deadline = time.monotonic() + 300
            while not parts(output) and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.1)
            assert process.poll() is None, "the run was over before the node was lost: make the corpus larger"
            committed = len(parts(output))
            lost = [actor for actor in cluster.model_actors() if (actor["labels"] or {}).get("to")]
            cluster.lose_node()
            assert process.wait(timeout=600) == 0

    assert lost, "no actor was on the node that was lost"
    assert len(parts(output)) > committed
    assert_same(output, undisturbed)


def test_a_truncated_file_amid_twenty_and_its_whole_that_comes_later(cytotag, tmp_path):
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    rng = random.Random(SEED)  # noqa: S311
    for number in range(20):
        lines = [
            json.dumps({"document_id": f"f{number}d{i}", "text": f"IL-{i} mRNA in p{rng.random()} cells."})
            for i in range(20)
        ]
        content = gzip.compress("\n".join(lines).encode(), mtime=0)
        if number == 9:
            whole, content = content, content[: len(content) // 2]
        (corpus / f"{number:02}.jsonl.gz").write_bytes(content)

    done = cytotag("tag", corpus, "--output", tmp_path / "chunks")

    assert done.returncode == 3, done.stderr
    assert "09.jsonl.gz" in done.stderr
    documents = {row["document_id"] for row in rows_of(tmp_path / "chunks")}
    assert {f"f{number}d{i}" for number in range(20) if number != 9 for i in range(20)} <= documents
    of_broken = sorted(int(name[3:]) for name in documents if name.startswith("f9d"))
    assert of_broken == list(range(len(of_broken)))
    assert 0 < len(of_broken) < 20

    (corpus / "09.jsonl.gz").write_bytes(whole)
    mended = cytotag("tag", corpus, "--output", tmp_path / "chunks", "--resume")

    assert mended.returncode == 0, mended.stderr
    rows = rows_of(tmp_path / "chunks")
    assert {row["document_id"] for row in rows} == {f"f{number}d{i}" for number in range(20) for i in range(20)}
    assert len(rows) == len({(row["document_id"], row["chunk_id"]) for row in rows})
    assert counts_of(tmp_path / "chunks")["documents"] == 400
    assert counts_of(tmp_path / "chunks")["errors"] == 0
    assert cytotag("verify", tmp_path / "chunks").returncode == 0
