"""`cytotag serve` and `serve run`: starting, refusing, stopping."""

import json
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.integration.tiny_model import WORDS, save_model

ROOT = Path(__file__).parents[2]
TEXT = "NF-kappa B binds the promoter of the IL-2 gene in activated T lymphocytes, but not in Jurkat cells. " * 30


def refused(ray_address, *options):
    """The one line of a command that does not start."""
    command = [sys.executable, "-m", "pipelines", "serve", "--address", ray_address, *map(str, options)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = [line for line in done.stderr.splitlines() if line != "starts Ray and the model"]
    return line


def test_a_document_that_the_model_raises_on_costs_itself_alone(serve_endpoint, tmp_path):
    """With a token, a model that may have two processes, and limits of one's own."""
    model = save_model(tmp_path / "model", raising=WORDS.index("raising"))
    token = tmp_path / "token"
    token.write_text("s3cret\n", encoding="utf-8")
    options = ["--model", model, "--token-file", token, "--replicas", "1:2", "--documents", "3", "--characters", "50"]
    with serve_endpoint(*options) as endpoint:
        request = {"documents": [{"text": "il 2"}, {"text": "a raising gene"}, {"text": "il 2"}]}
        key = {"Authorization": "Bearer s3cret", "Content-type": "application/json"}
        assert endpoint.ask("/v1/tag", request)[0] == 401
        assert endpoint.ask("/v1/tag", request, {"Authorization": "Bearer secret"})[0] == 401
        assert endpoint.ask("/metrics")[0] == 401
        assert endpoint.ask("/ready")[0] == endpoint.ask("/docs")[0] == 200
        described = json.loads(endpoint.ask("/v1/model", headers=key)[2])
        assert (described["name"], described["limits"]["documents"]) == ("model", 3)
        for _ in range(3):
            status, _, body = endpoint.ask("/v1/tag", request, key)
            assert status == 200
            first, second, third = json.loads(body)["documents"]
            assert first["error"] is third["error"] is None
            assert first["chunks"] == third["chunks"] != []
            assert second["error"].startswith("TokenClassifier failed: ")
        status, _, body = endpoint.ask("/v1/tag", request | {"format": "pubtator"}, key)
        assert status == 422
        assert json.loads(body)["detail"][0]["loc"] == ["body", "documents", 1, "text"]
        lines = b'{"text": "raising"}\n{"text": "il 2"}\n'
        _, _, body = endpoint.ask("/v1/tag/stream", lines, key | {"Content-type": "application/x-ndjson"})
        errors = [json.loads(line)["error"] for line in body.splitlines()]
        assert errors[0].startswith("TokenClassifier failed: ")
        assert errors[1] is None
        status, _, body = endpoint.ask("/v1/tag", {"documents": [{"text": "a"}] * 4}, key)
        assert (status, json.loads(body)["detail"][0]["loc"]) == (422, ["body", "documents"])


def test_what_was_asked_before_the_end_is_answered_whole(serve_endpoint):
    request = {"documents": [{"document_id": str(number), "text": TEXT} for number in range(24)]}
    answers = []

    def ask(endpoint):
        answers.append((endpoint.ask("/v1/tag", request, timeout=120), endpoint.process.poll()))

    with serve_endpoint() as endpoint:
        client = threading.Thread(target=ask, args=[endpoint])
        client.start()
        deadline = time.monotonic() + 30
        while b"\ncytotag_waiting_pieces{" not in (metrics := endpoint.ask("/metrics")[2]) or waits(metrics) == 0:
            assert time.monotonic() < deadline, "the request never got to the model"
        assert not answers, "the text is too short for this test"
        endpoint.process.terminate()
        client.join(120)
    (((status, _, body), process_ended),) = answers
    assert status == 200
    assert [one["document_id"] for one in json.loads(body)["documents"]] == [str(number) for number in range(24)]
    assert all(len(one["chunks"]) >= 30 and one["error"] is None for one in json.loads(body)["documents"])
    assert process_ended is None
    with pytest.raises(urllib.error.HTTPError):  # nobody is there any more: Serve's proxy says so
        urllib.request.urlopen(f"{endpoint.url}/health", timeout=30)  # noqa: S310  # http


def waits(metrics):
    (line,) = [line for line in metrics.decode().splitlines() if line.startswith("cytotag_waiting_pieces{")]
    return float(line.split()[-1])


def test_what_does_not_fit_the_cluster_is_one_line(ray_address, serve_endpoint):
    line = refused(ray_address, "--port", serve_endpoint.port, "--replicas", "50", "--threads", "2")
    assert line.startswith("cytotag: 50 actors x 2 threads + 0.5 for the tasks = 100.5 CPUs, and Ray has 4; ask for at")
    assert line.endswith("(--replicas, --threads)")


@pytest.fixture
def serve_at_port(serve_endpoint):
    """Ray Serve of the session, on the session's port, whichever test was first."""
    from ray import serve
    from ray.serve.config import HTTPOptions

    serve.start(http_options=HTTPOptions(port=serve_endpoint.port))
    return serve_endpoint.port


def test_another_port_than_that_of_the_clusters_serve_is_refused(ray_address, serve_at_port):
    line = refused(ray_address, "--port", serve_at_port - 1)
    assert line == (
        f"cytotag: --host 127.0.0.1 --port {serve_at_port - 1}: Ray Serve on this cluster listens on "
        f"127.0.0.1:{serve_at_port} already; give these, or end it with `serve shutdown`"
    )


def serve_run(ray_address, *arguments):
    command = [str(Path(sys.executable).with_name("serve")), "run", "--address", ray_address, "--app-dir", str(ROOT)]
    return subprocess.Popen(
        [*command, "pipelines.serve:build_app", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a job in the background ignores it
    )


def end(process):
    """By Ctrl-C, which also ends Ray Serve, as its users know."""
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)


def test_rays_own_command_runs_it(ray_address, serve_at_port):
    process = serve_run(ray_address, "documents=3", "replicas=1", "timeout=20")
    try:
        url, deadline = f"http://127.0.0.1:{serve_at_port}", time.monotonic() + 120
        while True:
            try:
                with urllib.request.urlopen(f"{url}/v1/model", timeout=10) as answer:  # noqa: S310  # http
                    limits = json.loads(answer.read())["limits"]
                break
            except OSError:  # not there, or not ready
                assert process.poll() is None, process.stdout.read()
                assert time.monotonic() < deadline
                time.sleep(0.5)
        assert limits["documents"] == 3
        assert limits["characters"] == 100_000
    finally:
        end(process)


@pytest.mark.parametrize(
    ("argument", "message"),
    [("document=3", "Extra inputs are not permitted"), ("documents=0", "greater than or equal to 1")],
)
def test_rays_own_command_refuses_arguments_that_cannot_be(ray_address, argument, message):
    process = serve_run(ray_address, argument)
    output, _ = process.communicate(timeout=120)
    assert process.returncode != 0
    assert message in output
