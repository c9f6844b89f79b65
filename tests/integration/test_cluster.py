"""On clusters of several raylets: where the model's actors go, what is refused, and what is waited for.

The GPU here is one that Ray is told of: what is shown is that the actors ask for it, not that CUDA runs.
"""

import json
import subprocess
import sys
from pathlib import Path

import onnxruntime
import pyarrow.dataset
import pytest

from pipelines.schema import CHUNK_ROW
from tests.integration.local_cluster import local_cluster

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "docs" / "demo"
TOKEN = "a token that only this cluster knows"  # noqa: S105
WITHOUT_TOKEN = {"RAY_AUTH_MODE": "disabled", "RAY_AUTH_TOKEN": ""}


def tag(cluster, output, *options, address="auto", corpus=DEMO):
    command = [sys.executable, "-m", "pipelines", "tag", corpus, "--output", output, "--address", address, *options]
    return subprocess.run(
        list(map(str, command)), cwd=ROOT, env=cluster.environment,
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip


def rows_of(folder):
    rows = pyarrow.dataset.dataset(folder).to_table().to_pylist()
    return sorted(rows, key=lambda row: (row["source"], row["document_id"], row["chunk_id"]))


def refusal(done):
    """The one line that a refused run ends with."""
    said = done.stderr.strip()
    assert done.returncode == 1
    assert "\n" not in said
    return said


@pytest.fixture(scope="module")
def cluster():
    """A head that runs no tasks and two workers of 2 CPUs, one of them with a GPU; only who has the token may enter."""
    with local_cluster(
        {"num_cpus": 0, "include_dashboard": True, "dashboard_port": 0},
        {"num_cpus": 2, "labels": {"pool": "cpu"}},
        {"num_cpus": 2, "num_gpus": 1, "labels": {"pool": "gpu"}},
        RAY_AUTH_MODE="token",
        RAY_AUTH_TOKEN=TOKEN,
    ) as started:
        yield started


@pytest.fixture(scope="module")
def demo_rows(cluster, tmp_path_factory):
    """The demo corpus, tagged by default on that cluster."""
    output = tmp_path_factory.mktemp("demo") / "chunks"
    done = tag(cluster, output)
    assert done.returncode == 0, done.stderr
    assert pyarrow.dataset.dataset(output).schema.equals(CHUNK_ROW, check_metadata=False)
    assert json.loads((output / "_manifest.json").read_text())["counts"]["documents"] == 8
    return rows_of(output)


@pytest.mark.slow
def test_by_default_the_pool_fills_the_nodes_beside_the_head(cluster, demo_rows):
    assert len(demo_rows) > 30
    actors = cluster.model_actors()
    assert len(actors) >= 3  # 2 + 2 CPUs, and one of them is for the tasks
    assert {actor["labels"]["pool"] for actor in actors} == {"cpu", "gpu"}


@pytest.mark.slow
def test_ray_job_submit_runs_the_checkout_and_ends_with_its_exit_code(cluster, demo_rows, tmp_path):
    def submit(*arguments, **environment):
        ray = str(Path(sys.executable).with_name("ray"))
        command = [ray, "job", "submit", "--address", cluster.dashboard, "--working-dir", "."]
        return subprocess.run(
            [*command, "--", "python", "-m", "pipelines", "tag", *map(str, arguments), "--address", "auto"],
            cwd=ROOT, env={**cluster.environment, **environment},
            capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip

    done = submit(DEMO, "--output", tmp_path / "chunks", "--threads", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert rows_of(tmp_path / "chunks") == demo_rows

    failed = submit("docs/demo/no-such-file.txt", "--output", tmp_path / "nothing")
    assert failed.returncode != 0
    assert "no-such-file.txt" in failed.stdout + failed.stderr
    assert submit(DEMO, "--output", tmp_path / "nothing", **WITHOUT_TOKEN).returncode != 0
    assert not (tmp_path / "nothing").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--threads", "4"],
            "cytotag: an actor of 4 threads + 0.5 for the tasks = 4.5 CPUs, and Ray's nodes have 2 + 2, "
            "which hold 0 + 0 such actors; ask for fewer --threads",
        ),
        (
            ["--actors", "4"],
            "cytotag: 4 actors x 1 threads + 0.5 for the tasks = 4.5 CPUs, and Ray's nodes have 2 + 2, "
            "which hold 2 + 2 such actors; ask for at most 3 actors of 1 threads (--actors, --threads)",
        ),
        (
            ["--labels", "pool=tpu"],
            "cytotag: --labels pool=tpu: no node of Ray's has that; there is pool=cpu, pool=gpu",
        ),
        (
            ["--labels", "pool=cpu", "--device", "cuda"],
            "cytotag: --device cuda: 1 actors need a GPU each, and Ray has 0 with pool=cpu; ask for --device cpu",
        ),
    ],
    ids=["too many threads", "too many actors", "no such label", "no such GPU"],
)
def test_a_pool_that_does_not_fit_is_refused_in_one_line(cluster, tmp_path, options, message):
    assert refusal(tag(cluster, tmp_path / "chunks", *options)) == message


@pytest.mark.slow
def test_labels_place_the_actors(cluster, demo_rows, tmp_path):
    before = {actor["id"] for actor in cluster.model_actors()}

    done = tag(cluster, tmp_path / "chunks", "--labels", "pool=cpu")

    assert done.returncode == 0, done.stderr
    assert rows_of(tmp_path / "chunks") == demo_rows
    new = [actor for actor in cluster.model_actors() if actor["id"] not in before]
    assert len(new) == 2
    assert {actor["labels"]["pool"] for actor in new} == {"cpu"}


@pytest.mark.slow
@pytest.mark.skipif("CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="CUDA is there")
def test_an_actor_for_cuda_goes_to_the_gpu_and_says_in_one_line_what_is_missing(cluster, tmp_path):
    before = {actor["id"] for actor in cluster.model_actors()}

    done = tag(cluster, tmp_path / "chunks", "--device", "cuda")

    assert "the installed onnxruntime has no CUDAExecutionProvider" in refusal(done)
    new = [actor for actor in cluster.model_actors() if actor["id"] not in before]
    assert {actor["labels"]["pool"] for actor in new} == {"gpu"}


@pytest.mark.slow
@pytest.mark.parametrize("cpus", [1, 2, 4])
def test_on_few_cpus_the_default_works_or_says_why_not(tmp_path, cpus):
    with local_cluster({"num_cpus": cpus}) as small:
        done = tag(small, tmp_path / "chunks", address=small.address)
        actors = small.model_actors()
    if cpus == 1:
        assert refusal(done) == (
            "cytotag: an actor of 1 threads + 0.5 for the tasks = 1.5 CPUs, and Ray has 1; give Ray more CPUs"
        )
    else:
        assert done.returncode == 0, done.stderr
        assert len(actors) == cpus - 1


@pytest.mark.slow
def test_a_cluster_without_workers_is_waited_for(tmp_path):
    with local_cluster({"num_cpus": 0}) as growing:
        refused = tag(growing, tmp_path / "chunks", "--wait", "2")
        waits, gave_up = refused.stderr.splitlines()
        assert waits.startswith("cytotag: waits up to 2 s for nodes: an actor of 1 threads + 0.5 for the tasks")
        assert gave_up.endswith("= 1.5 CPUs, and Ray has 0; give Ray more CPUs (waited 2 s)")
        assert refused.returncode == 1

        command = ["tag", DEMO, "--output", tmp_path / "chunks", "--overwrite", "--address", growing.address]
        command += ["--wait", "300", "--threads", "2", "--labels", "pool=late"]
        with subprocess.Popen(
            [sys.executable, "-m", "pipelines", *map(str, command)], cwd=ROOT, env=growing.environment,
            stderr=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            first = process.stderr.readline()
            growing.add_node(num_cpus=2)  # not enough: the actor has to go to the labelled one
            growing.add_node(num_cpus=2, labels={"pool": "late"})
            rest = process.stderr.read()
            assert process.wait(timeout=300) == 0, rest
        assert "waits up to 300 s for nodes: --labels pool=late: no node of Ray's has that" in first
        assert "waits" not in rest
        assert [actor["labels"]["pool"] for actor in growing.model_actors()] == ["late"]
    assert json.loads((tmp_path / "chunks" / "_manifest.json").read_text())["state"] == "finished"


@pytest.mark.slow
def test_a_pool_grows_to_its_largest_size_and_every_document_is_there(tmp_path):
    corpus = tmp_path / "corpus.jsonl"
    sentence = "IL-2 mRNA in Jurkat cells needs NF-kappa B, and p50 binds the promoter of TNF-alpha. "
    texts = {f"d{number}": (sentence * 100).ljust(64 << 10) for number in range(16)}  # a block each
    corpus.write_text("".join(json.dumps({"document_id": key, "text": text}) + "\n" for key, text in texts.items()))
    with local_cluster({"num_cpus": 4}) as four:  # on 3, Ray Data keeps too many for its other operators
        done = tag(four, tmp_path / "chunks", "--actors", "1:2", corpus=corpus)
        actors = four.model_actors()

    assert done.returncode == 0, done.stderr
    assert len(actors) == 2
    counts = json.loads((tmp_path / "chunks" / "_manifest.json").read_text())["counts"]
    assert (counts["documents"], counts["errors"]) == (len(texts), 0)
    assert {row["document_id"] for row in rows_of(tmp_path / "chunks")} == set(texts)
