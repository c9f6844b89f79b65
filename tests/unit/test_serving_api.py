"""The API as a whole: its description, its page, who may call it, and what it answers when it cannot tag."""

import asyncio
import re
from html.parser import HTMLParser

import pytest
from pydantic import ValidationError

from pipelines.light import LightPipeline
from pipelines.serving.options import ServeOptions
from pipelines.serving.refusal import RefusedError
from tests.integration.tiny_model import WORDS, save_model
from tests.unit.asgi_client import JSON_HEADERS

OPERATIONS = {
    "/v1/tag": {"post"},
    "/v1/tag/stream": {"post"},
    "/v1/model": {"get"},
    "/health": {"get"},
    "/ready": {"get"},
    "/metrics": {"get"},
}


def openapi(client):
    return client.ask("GET", "/openapi.json").json


def test_the_description_has_the_limits_of_this_endpoint(endpoint):
    described = openapi(endpoint(documents=7, characters=1_234))
    assert {path: set(operations) for path, operations in described["paths"].items()} == OPERATIONS
    schemas = described["components"]["schemas"]
    fields = schemas["TagRequest"]["properties"]
    assert fields["text"]["anyOf"][0]["maxLength"] == 1_234
    assert fields["documents"]["anyOf"][0] | {"items": None} == {
        "type": "array",
        "items": None,
        "minItems": 1,
        "maxItems": 7,
    }
    assert schemas["Document"]["properties"]["text"]["maxLength"] == 1_234
    assert schemas["Document"]["required"] == ["text"]
    assert schemas["TagRequest"]["additionalProperties"] is False
    assert "additionalProperties" not in schemas["Document"]
    assert [fields["threshold"][name] for name in ("minimum", "maximum", "default")] == [0, 1, 0.55]
    stream = described["paths"]["/v1/tag/stream"]["post"]["parameters"]
    assert {one["name"]: one["schema"].get("default") for one in stream} == {"entities": None, "threshold": 0.55}


def test_the_description_names_every_status(endpoint):
    described = openapi(endpoint())
    statuses = {
        path: set(operation["responses"]) for path, one in described["paths"].items() for operation in one.values()
    }
    everywhere = {"200", "408", "413", "415", "429", "503"}
    assert statuses == {
        "/v1/tag": {"400", "401", "422", "504"} | everywhere,
        "/v1/tag/stream": {"401", "422"} | everywhere,
        "/v1/model": {"401"} | everywhere,
        "/health": everywhere,
        "/ready": everywhere,
        "/metrics": {"401"} | everywhere,
    }


def test_every_example_is_real(endpoint):
    client = endpoint()
    described = openapi(client)
    examples = described["components"]["schemas"]["TagRequest"]["examples"]
    assert len(examples) == 2
    for example in examples:
        answer = client.post("/v1/tag", example)
        assert answer.status == 200
        assert any(document["chunks"] for document in answer.json["documents"])
    body = described["paths"]["/v1/tag/stream"]["post"]["requestBody"]["content"]["application/x-ndjson"]
    lines = client.post("/v1/tag/stream", body["example"].encode()).lines
    assert [line["document_id"] for line in lines] == ["a", "b"]
    assert all(line["chunks"] for line in lines)


def test_the_model_and_the_limits(endpoint, embedded_model):
    described = endpoint(documents=7, characters=1_234).ask("GET", "/v1/model").json
    assert described["name"] == "embedded"
    assert described["sha256"] == embedded_model.sha256()
    assert described["entities"] == ["protein", "DNA", "RNA", "cell_line", "cell_type"]
    assert described["labels"] == list(embedded_model.labels)
    assert described["threshold"] == 0.55
    assert described["limits"] == {"documents": 7, "characters": 1_234, "body_bytes": 1 << 20, "stream_bytes": 64 << 20}
    assert described["formats"] == ["json", "bioc", "bioc-xml", "pubtator", "brat"]


def test_an_endpoint_that_copies_another_program_tags_like_the_light_pipeline(endpoint, embedded_model):
    client = endpoint(compat="sparknlp")
    described = client.ask("GET", "/v1/model").json
    assert [described[name] for name in ("compat", "tag_policy", "threshold")] == ["sparknlp", "sparknlp", 0]
    assert endpoint().ask("GET", "/v1/model").json["compat"] is None
    text = "The " + "IL-2-induced " * 130 + "NF-kappa B binds DNA."
    [document] = client.post("/v1/tag", {"text": text}).json["documents"]
    wanted, ours = (LightPipeline(embedded_model, compat=compat).annotate(text) for compat in ("sparknlp", None))
    spans = [[(chunk["start"], chunk["end"], chunk["entity"]) for chunk in found] for found in (wanted, ours)]
    assert [(chunk["start"], chunk["end"], chunk["entity"]) for chunk in document["chunks"]] == spans[0] != spans[1]


class Addresses(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, _, attrs):
        self.found += [value for name, value in attrs if name in ("src", "href", "action", "data", "srcset")]


def test_the_docs_want_nothing_from_outside(endpoint, tmp_path):
    token = tmp_path / "token"
    token.write_text("secret", encoding="utf-8")
    client = endpoint(token_file=str(token))
    page = client.ask("GET", "/docs", headers={})
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    html = page.body.decode()
    assert not re.findall(r"(?:https?:)?//[\w.-]+\.\w+", html)
    addresses = Addresses()
    addresses.feed(html)
    paths = {*addresses.found, *re.findall(r"""['"](/[^'"]*)['"]""", html)} - {"/docs/oauth2-redirect"}
    assert len(paths) >= 4
    assert "/openapi.json" in paths
    for path in paths:
        answer = client.ask("GET", path, headers={})
        assert (answer.status, bool(answer.body)) == (200, True), path
        if path.endswith(".css"):
            assert not re.findall(rb"(?:url\(['\"]?|@import\s+['\"])(?:https?:)?//", answer.body)


# who may call it from a page

ORIGIN = "https://example.org"
PREFLIGHT = {
    "origin": ORIGIN,
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization, content-type",
}


def cors(answer):
    return {name: value for name, value in answer.headers.items() if name.startswith("access-control")}


def test_no_other_origin_may_call_it(endpoint):
    client = endpoint()
    assert cors(client.post("/v1/tag", {"text": "a"}, JSON_HEADERS | {"origin": ORIGIN})) == {}
    answer = client.ask("OPTIONS", "/v1/tag", headers=PREFLIGHT)
    assert (answer.status, cors(answer)) == (405, {})


def test_origins_that_are_named_may(endpoint, tmp_path):
    token = tmp_path / "token"
    token.write_text("secret", encoding="utf-8")
    client = endpoint(allow_origins=[ORIGIN, "http://localhost:3000"], token_file=str(token))
    answer = client.ask("OPTIONS", "/v1/tag", headers=PREFLIGHT)
    assert (answer.status, cors(answer)["access-control-allow-origin"]) == (200, ORIGIN)
    assert "authorization" in cors(answer)["access-control-allow-headers"].lower()
    refused = client.post("/v1/tag", {"text": "a"}, JSON_HEADERS | {"origin": ORIGIN})
    assert (refused.status, cors(refused)["access-control-allow-origin"]) == (401, ORIGIN)  # so that a page can read it
    headers = JSON_HEADERS | {"origin": ORIGIN, "authorization": "Bearer secret"}
    answer = client.post("/v1/tag", {"text": "a"}, headers)
    assert (answer.status, cors(answer)["access-control-allow-origin"]) == (200, ORIGIN)
    assert cors(answer)["access-control-expose-headers"] == "Retry-After"
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize(
    "origin", ["https://example.org.evil.org", "http://example.org", "null", "https://example.com"]
)
def test_and_no_others(endpoint, origin):
    client = endpoint(allow_origins=[ORIGIN])
    answer = client.ask("OPTIONS", "/v1/tag", headers=PREFLIGHT | {"origin": origin})
    assert (answer.status, answer.headers.get("access-control-allow-origin")) == (400, None)
    answer = client.post("/v1/tag", {"text": "a"}, JSON_HEADERS | {"origin": origin})
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("origin", ["*", "example.org", "https://example.org/", "https://*.example.org", ""])
def test_what_is_no_origin_is_refused(origin):
    with pytest.raises(ValidationError):
        ServeOptions(allow_origins=(origin,))


# when it cannot tag


@pytest.mark.parametrize(("status", "retry_after"), [(503, "5"), (429, "5")])
def test_a_model_that_cannot_answer_is_one_line_that_says_when_to_try_again(endpoint, status, retry_after):
    async def gone(_):
        raise RefusedError(status, "not now", retry_after=5)

    async def not_ready():
        raise RefusedError(503, "no model answers yet", retry_after=5)

    client = endpoint(classified=gone, ready=not_ready)
    answer = client.post("/v1/tag", {"text": "a"})
    assert (answer.status, answer.headers["retry-after"], answer.json) == (status, retry_after, {"detail": "not now"})
    answer = client.ask("GET", "/ready")
    assert (answer.status, answer.headers["retry-after"], answer.json) == (503, "5", {"detail": "no model answers yet"})
    assert client.ask("GET", "/health").status == 200


def test_too_much_at_once_is_429_and_room_comes_back(endpoint):
    started, go = asyncio.Event(), asyncio.Event()

    async def waits(_):
        started.set()
        await go.wait()
        raise RefusedError(503, "gone")

    client = endpoint(classified=waits, waiting_pieces=8)

    async def work():
        first = asyncio.create_task(client.exchange("POST", "/v1/tag", [b'{"text": "IL-2 gene"}']))
        await started.wait()
        second = await client.exchange("POST", "/v1/tag", [b'{"text": "IL-2 gene"}'])
        empty = asyncio.create_task(client.exchange("POST", "/v1/tag", [b'{"text": ""}']))
        await asyncio.sleep(0.1)
        go.set()
        return second, (await first).status, (await empty).status

    second, first, empty = client.run(work())
    assert (second.status, second.headers["retry-after"]) == (429, "1")
    assert re.fullmatch(r"busy: \d+ word pieces wait for the model, 8 may; try again later", second.json["detail"])
    assert (first, empty) == (503, 503)


def test_what_takes_too_long_is_given_up(endpoint):
    async def never(_):
        await asyncio.Event().wait()

    answer = endpoint(classified=never, timeout=0.2).post("/v1/tag", {"text": "a"})
    assert (answer.status, answer.json) == (504, {"detail": "not done after 0.2 s; send less text at once"})


def test_a_document_that_the_model_raises_on_is_an_error_of_its_own(endpoint, tmp_path):
    from actors.model_files import ModelFiles

    model = ModelFiles.from_pretrained(save_model(tmp_path / "model", raising=WORDS.index("raising")))
    client = endpoint(model_files=model)
    documents = [
        {"document_id": name, "text": text}
        for name, text in zip("abc", ("il 2", "a raising gene", "il 2"), strict=True)
    ]
    answer = client.post("/v1/tag", {"documents": documents})
    assert answer.status == 200
    first, second, third = answer.json["documents"]
    assert first["error"] is third["error"] is None
    assert first["chunks"] == third["chunks"]
    assert second["error"].startswith("TokenClassifier failed: ")
    assert "\n" not in second["error"]
    assert (second["chunks"], second["sentences"]) == ([], [])
    for to in ("bioc", "bioc-xml", "pubtator", "brat"):
        answer = client.post("/v1/tag", {"documents": documents, "format": to})
        assert answer.status == 422
        (problem,) = answer.json["detail"]
        assert (problem["loc"], problem["msg"]) == (["body", "documents", 1, "text"], second["error"])


def test_a_document_may_have_other_fields(endpoint):
    client = endpoint()
    document = {"document_id": "x", "text": "IL-2 gene"}
    plain, more = (
        client.post("/v1/tag", {"documents": [one]}).json
        for one in (document, document | {"journal": "J", "year": 1999})
    )
    assert plain == more
    assert plain["documents"][0]["chunks"]
