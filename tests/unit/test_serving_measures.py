"""What an endpoint counts."""

import asyncio

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.unit.asgi_client import JSON_HEADERS, LEAVES


def samples(client):
    """Name and labels of each sample, and its value."""
    answer = client.ask("GET", "/metrics", headers={})
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return {
        (sample.name, *sorted(value for name, value in sample.labels.items() if name != "replica")): sample.value
        for family in text_string_to_metric_families(answer.body.decode())
        for sample in family.samples
        if sample.labels["replica"] == "r1"
    }


def test_counts_are_right(endpoint):
    client = endpoint()
    text = "IL-2 mRNA in Jurkat cells"
    tagged = client.post("/v1/tag", {"documents": [{"text": text}, {"text": ""}]}).json["documents"]
    assert [chunk["entity"] for chunk in tagged[0]["chunks"]] == ["RNA", "cell_line"]
    client.post("/v1/tag/stream", b'{"text": "%s"}\nfoo\n' % text.encode())
    client.post("/v1/tag", b"nothing")
    for path in ("/v1/nothing", "/v1/nothing/else"):
        client.ask("GET", path)
    found = samples(client)
    assert found["cytotag_requests_total", "/v1/tag", "200"] == 1
    assert found["cytotag_requests_total", "/v1/tag", "400"] == 1
    assert found["cytotag_requests_total", "/v1/tag/stream", "200"] == 1
    assert found["cytotag_requests_total", "404", "other"] == 2  # a name for each would fill the memory
    assert found["cytotag_request_seconds_count", "/v1/tag"] == 2
    assert found["cytotag_request_seconds_bucket", "+Inf", "/v1/tag"] == 2
    assert found["cytotag_documents_total",] == 4
    assert found["cytotag_document_errors_total",] == 1
    assert found["cytotag_characters_total",] == 2 * len(text)
    assert found["cytotag_chunks_total", "RNA"] == 2
    assert found["cytotag_chunks_total", "cell_line"] == 2
    assert found["cytotag_pieces_total",] > 10
    assert found["cytotag_model_seconds_total",] > 0
    assert found["cytotag_requests_open",] == 1  # the one that asks
    assert found["cytotag_waiting_pieces",] == 0


def test_what_waits_is_shown(endpoint):
    started = asyncio.Event()

    async def waits(_):
        started.set()
        await asyncio.Event().wait()

    client = endpoint(classified=waits)

    async def work():
        task = asyncio.create_task(client.exchange("POST", "/v1/tag", [b'{"text": "IL-2 gene"}']))
        await started.wait()
        metrics = (await client.exchange("GET", "/metrics", [b""], {})).body.decode()
        task.cancel()
        await asyncio.wait([task])
        return metrics

    lines = client.run(work()).splitlines()
    assert 'cytotag_requests_open{replica="r1"} 2.0' in lines
    (waiting,) = [line for line in lines if line.startswith("cytotag_waiting_pieces{")]
    assert float(waiting.split()[-1]) > 3
    found = samples(client)
    assert found["cytotag_requests_total", "/v1/tag", "499"] == 1  # who left is no failure of ours
    assert found["cytotag_waiting_pieces",] == 0


@pytest.mark.parametrize("path", ["/v1/tag", "/v1/tag/stream"])
@pytest.mark.parametrize(
    "before", [[], [b'{"text": "IL-2 gene"}'], [b'{"text": "IL-2 gene"}\n']], ids=["", "text", "line"]
)
def test_who_leaves_within_a_body_is_no_failure(endpoint, path, before):
    client = endpoint()
    client.run(client.exchange("POST", path, [*before, LEAVES]))
    found = samples(client)
    assert {key: found[key] for key in found if key[0] == "cytotag_requests_total"} == {
        ("cytotag_requests_total", *sorted([path, "499"])): 1
    }
    assert found["cytotag_requests_open",] == 1
    if path == "/v1/tag":  # a half is not tagged
        assert ("cytotag_documents_total",) not in found


@pytest.mark.parametrize("status", [413, 401])
def test_what_the_guard_refuses_is_counted(endpoint, tmp_path, status):
    token = tmp_path / "token"
    token.write_text("secret", encoding="utf-8")
    client = endpoint(body_bytes=10, token_file=str(token))
    headers = JSON_HEADERS | ({"authorization": "Bearer secret"} if status == 413 else {})
    assert client.post("/v1/tag", b"x" * 11, headers).status == status
    answer = client.ask("GET", "/metrics", headers={"authorization": "Bearer secret"})
    assert f'cytotag_requests_total{{path="/v1/tag",replica="r1",status="{status}"}} 1.0' in answer.body.decode()
