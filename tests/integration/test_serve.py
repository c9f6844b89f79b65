"""The endpoint on a real Ray Serve, started by the real command."""

import io
import json
import socket
import threading
import time
import zipfile
from pathlib import Path

import numpy as np
import pyarrow.dataset as ds
import pytest
import schemathesis

from pipelines.light import LightPipeline
from tests.described_requests import KINDS, ask_as_described

ROOT = Path(__file__).parents[2]
DEV = ROOT.parent / "shared" / "jnlpba" / "dev.jsonl"
ABSTRACTS = 40
NDJSON = {"Content-type": "application/x-ndjson"}
OWN = [
    "",
    " ",
    "IL-2 mRNA was found in Jurkat cells, but NF-kappa B was not.",
    "The α-globin 🧬 gene.\r\n\r\nT\u00a0cells, <b>GATA-1</b> & \u0301c-fos\0.",
    "x" * 1_000,
    "NF-kappa B " * 60,
]


@pytest.fixture(scope="module")
def documents():
    """Abstracts of the corpus, where it is, and texts of our own."""
    abstracts = []
    if DEV.is_file():
        with DEV.open(encoding="utf-8") as lines:
            abstracts = [json.loads(line)["text"] for _, line in zip(range(ABSTRACTS), lines, strict=False)]
    else:
        print(f"without abstracts: no {DEV}")
    return [{"document_id": f"d{number}", "text": text} for number, text in enumerate(OWN + abstracts)]


@pytest.fixture(scope="module")
def endpoint(serve_endpoint):
    with serve_endpoint("--characters", 5_000) as running:
        yield running


def plain(documents):
    """Chunks of each document, scores as the endpoint gives them."""
    return {
        name: [
            (one["sentence_id"], one["start"], one["end"], one["entity"], np.float32(round(float(one["score"]), 6)))
            for one in chunks
        ]
        for name, chunks in documents.items()
    }


@pytest.fixture(scope="module")
def expected(documents):
    chunks = LightPipeline.from_pretrained().annotate([document["text"] for document in documents])
    return plain({document["document_id"]: found for document, found in zip(documents, chunks, strict=True)})


def test_equal_text_gets_equal_chunks_in_a_request(endpoint, documents, expected):
    status, _, body = endpoint.ask("/v1/tag", {"documents": documents})
    assert status == 200
    answer = json.loads(body)["documents"]
    assert [one["document_id"] for one in answer] == [one["document_id"] for one in documents]
    assert not any(one["error"] for one in answer)
    assert plain({one["document_id"]: one["chunks"] for one in answer}) == expected
    assert sum(map(len, expected.values())) > (400 if DEV.is_file() else 10)


def test_equal_text_gets_equal_chunks_in_a_stream(endpoint, documents, expected):
    content = "\n".join(map(json.dumps, documents)).encode()
    status, headers, body = endpoint.ask("/v1/tag/stream", content, NDJSON)
    assert (status, headers["content-type"]) == (200, "application/x-ndjson")
    answer = [json.loads(line) for line in body.splitlines()]
    assert [one["line"] for one in answer] == list(range(1, len(documents) + 1))
    assert plain({one["document_id"]: one["chunks"] for one in answer}) == expected


def test_equal_text_gets_equal_chunks_in_requests_at_once(endpoint, documents, expected):
    found = {}

    def ask(document):
        _, _, body = endpoint.ask("/v1/tag", {"documents": [document]})
        found[document["document_id"]] = json.loads(body)["documents"][0]["chunks"]

    threads = [threading.Thread(target=ask, args=[document]) for document in documents[:24]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert plain(found) == {name: expected[name] for name in found}
    assert len(found) == 24


def test_equal_text_gets_equal_chunks_in_a_batch_job(cytotag, tmp_path, documents, expected):
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, documents)), encoding="utf-8")
    done = cytotag("tag", tmp_path / "in.jsonl", "--output", tmp_path / "out", "--actors", "1", "--threads", "1")
    assert done.returncode == 0, done.stderr
    rows = ds.dataset(tmp_path / "out").to_table().sort_by([("ordinal", "ascending"), ("chunk_id", "ascending")])
    found = {document["document_id"]: [] for document in documents}
    for row in rows.to_pylist():
        found[row["document_id"]].append(row)
    assert plain(found) == expected


def test_formats(endpoint):
    text = "IL-2 mRNA in Jurkat cells"
    answers = {}
    for to in ("bioc", "bioc-xml", "pubtator", "brat"):
        status, headers, answers[to] = endpoint.ask("/v1/tag", {"text": text, "format": to})
        assert status == 200
        assert headers["content-length"] == str(len(answers[to]))
    (document,) = json.loads(answers["bioc"])["documents"]
    assert [one["text"] for one in document["passages"][0]["annotations"]] == ["IL-2 mRNA", "Jurkat cells"]
    assert answers["bioc-xml"].startswith(b'<?xml version="1.0" encoding="UTF-8"?>')
    assert answers["pubtator"].startswith(b"1|t|IL-2 mRNA in Jurkat cells\n")
    with zipfile.ZipFile(io.BytesIO(answers["brat"])) as archive:
        assert archive.read("1.txt").decode() == text


def test_what_it_says_of_itself(endpoint):
    assert json.loads(endpoint.ask("/health")[2]) == {"status": "ok"}
    assert json.loads(endpoint.ask("/ready")[2]) == {"status": "ready"}
    assert json.loads(endpoint.ask("/v1/model")[2])["name"] == "embedded"
    assert b"cytotag" in endpoint.ask("/")[2]
    assert b"swagger" in endpoint.ask("/docs")[2]
    metrics = endpoint.ask("/metrics")[2].decode()
    assert 'path="/health"' in metrics
    assert 'replica=""' not in metrics


def test_hostile_requests_are_refused_and_the_next_one_works(endpoint):
    for body, status in {
        b"[" * 200_000: 400,
        b'{"text": "\xff"}': 400,
        b'{"text": "\\ud800"}': 422,
        b'{"text": "a", "threshold": NaN}': 422,
        b'{"text": "a", "threshold": ' + b"9" * 6_000 + b"}": 400,
        b"x" * ((1 << 20) + 1): 413,
        b"": 422,
    }.items():
        answer = endpoint.ask("/v1/tag", body)
        assert answer[0] == status
        assert "detail" in json.loads(answer[2])
    assert endpoint.ask("/v1/tag", b"{}", {"Content-type": "application/json", "Content-encoding": "gzip"})[0] == 415
    assert endpoint.ask("/nothing")[0] == 404
    assert endpoint.ask("/v1/tag", {"text": "IL-2 gene"})[0] == 200


def test_a_client_that_sends_a_line_and_waits_gets_its_answer(endpoint):
    host, port = endpoint.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as client, client.makefile("rb") as answer:
        client.sendall(b"POST /v1/tag/stream HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        for number in range(3):
            line = b'{"text": "IL-2 gene %d"}\n' % number
            client.sendall(b"%x\r\n%s\r\n" % (len(line), line))
            while not (found := answer.readline()).startswith(b"{"):
                assert found
            assert json.loads(found)["line"] == number + 1
        client.sendall(b"0\r\n\r\n")
        assert answer.read(7).endswith(b"0\r\n\r\n")


def test_clients_that_leave_are_forgotten(endpoint):
    host, port = endpoint.url.removeprefix("http://").split(":")
    for head in (
        b"POST /v1/tag HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{",
        b"POST /v1/tag/stream HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"18\r\n"
        + b'{"text": "IL-2 gene 1"}\n\r\n',
    ):
        for number in range(24):
            with socket.create_connection((host, int(port)), timeout=30) as client:
                client.sendall(head)
                time.sleep(0.01 * number)  # before it is in the model, while it is, and after
    deadline = time.monotonic() + 20
    while "cytotag_requests_open{" in (metrics := endpoint.ask("/metrics")[2].decode()):
        (line,) = [line for line in metrics.splitlines() if line.startswith("cytotag_requests_open{")]
        if float(line.split()[-1]) == 1:  # this one
            break
        assert time.monotonic() < deadline, line
        time.sleep(0.2)
    assert not [line for line in metrics.splitlines() if 'status="500"' in line]


@pytest.fixture(scope="module")
def described(endpoint):
    return schemathesis.openapi.from_url(f"{endpoint.url}/openapi.json")


@pytest.mark.parametrize(("method", "path", "mode"), KINDS)
def test_answers_are_as_described(described, method, path, mode):
    ask_as_described(described, method, path, mode, examples=15)
