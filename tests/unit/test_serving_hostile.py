"""Whatever is sent: an answer below 500 that names the field, and the next good request works."""

import gzip
import json

import pytest

from tests.unit.asgi_client import JSON_HEADERS

GOOD = b'{"text": "IL-2 gene"}'
GIVE_ONE = "give either `text` or `documents`"
UNREADABLE = "body: not JSON in UTF-8, or nested too deep, or with a number that is too long; correct it"
SURROGATE = "half of a surrogate pair is no character; correct it"
ENTITIES = "it has protein, DNA, RNA, cell_line, cell_type"


@pytest.fixture(scope="module")
def client(endpoint):
    return endpoint(characters=1_000, documents=3, body_bytes=2 << 20)


@pytest.fixture(autouse=True)
def the_next_good_request_works(client):
    yield
    answer = client.post("/v1/tag", GOOD)
    assert answer.status == 200
    assert answer.json["documents"][0]["chunks"][0]["text"] == "IL-2 gene"


def dumps(**content):
    return json.dumps(content).encode()


UNPARSED = {
    "no JSON": (b"IL-2 gene", "body: not JSON: Expecting value: character 0; correct it"),
    "blank": (b" \n ", "body: not JSON: Expecting value: character 3; correct it"),
    "cut short": (GOOD[:-1], "body: not JSON: Expecting ',' delimiter: character 20; correct it"),
    "more behind it": (GOOD + b"x", "body: not JSON: Extra data: character 21; correct it"),
    "a raw line end in a text": (
        b'{"text": "a\nb"}',
        "body: not JSON: Invalid control character at: character 11; correct it",
    ),
    "not UTF-8": (b'{"text": "\xff\xfe"}', UNREADABLE),
    "cut within a character": (b'{"text": "\xc3"}', UNREADABLE),
    "6,000 digits": (b'{"text": "a", "threshold": ' + b"9" * 6_000 + b"}", UNREADABLE),
    "6,000 digits of id": (b'{"documents": [{"text": "a", "document_id": ' + b"9" * 6_000 + b"}]}", UNREADABLE),
    "200,000 open brackets": (b"[" * 200_000, UNREADABLE),
    "200,000 brackets": (b"[" * 200_000 + b"]" * 200_000, UNREADABLE),
    "100,000 objects": (b'{"text":' * 100_000 + b"1" + b"}" * 100_000, UNREADABLE),
    "a megabyte of ]": (b"]" * (1 << 20), "body: not JSON: Expecting value: character 0; correct it"),
    "gzip that does not say so": (gzip.compress(GOOD, mtime=0), UNREADABLE),
}


@pytest.mark.parametrize("name", UNPARSED)
def test_what_is_no_json(client, name):
    body, detail = UNPARSED[name]
    answer = client.post("/v1/tag", body)
    assert (answer.status, answer.json) == (400, {"detail": detail})


FIELDS = {
    "nothing": (b"", ["body"], "missing; it must be there"),
    "empty object": (b"{}", ["body"], GIVE_ONE),
    "both": (b'{"text": "a", "documents": [{"text": "a"}]}', ["body"], GIVE_ONE),
    "both null": (b'{"text": null, "documents": null}', ["body"], GIVE_ONE),
    **{
        f"the body is {body.decode()[:8]}": (body, ["body"], "give a JSON object")
        for body in (b"[]", b'"a"', b"1", b"null", b"true", b"NaN", b'[{"text": "a"}]', b"[" * 900 + b"]" * 900)
    },
    **{
        f"text is {json.dumps(value)}": (dumps(text=value), ["body", "text"], "give a string")
        for value in (1, 1.5, True, [], {}, ["a"])
    },
    **{
        f"documents is {json.dumps(value)}": (dumps(documents=value), ["body", "documents"], "give a list")
        for value in (1, "a", True, {"text": "a"})
    },
    **{
        f"a document is {json.dumps(value)}": (
            dumps(documents=[{"text": "a"}, value]),
            ["body", "documents", 1],
            "give a JSON object",
        )
        for value in (1, "a", None, [], ["a"])
    },
    **{
        f"a document's text is {json.dumps(value)}": (
            dumps(documents=[{"text": value}]),
            ["body", "documents", 0, "text"],
            "give a string",
        )
        for value in (1, None, True, [], {})
    },
    **{
        f"document_id is {json.dumps(value)}": (
            dumps(documents=[{"text": "a", "document_id": value}]),
            ["body", "documents", 0, "document_id"],
            "give a string or an integer",
        )
        for value in (1.5, True, [], {})
    },
    **{
        f"entities is {json.dumps(value)}": (dumps(text="a", entities=value), ["body", "entities"], "give a list")
        for value in (1, "DNA", True, {"DNA": 1})
    },
    **{
        f"threshold is {json.dumps(value)}": (dumps(text="a", threshold=value), ["body", "threshold"], "give a number")
        for value in ("0.5", True, None, [], {})
    },
    **{
        f"threshold is {value}": (
            b'{"text": "a", "threshold": %s}' % value.encode(),
            ["body", "threshold"],
            "give a finite number",
        )
        for value in ("NaN", "Infinity", "-Infinity", "1e999")
    },
    "threshold is -1": (
        dumps(text="a", threshold=-1),
        ["body", "threshold"],
        "Input should be greater than or equal to 0",
    ),
    "threshold has 4,000 digits": (
        b'{"text": "a", "threshold": ' + b"9" * 4_000 + b"}",
        ["body", "threshold"],
        None,
    ),
    "entity_thresholds is a list": (
        dumps(text="a", entity_thresholds=[]),
        ["body", "entity_thresholds"],
        "give a JSON object",
    ),
    "an entity's threshold is a string": (
        dumps(text="a", entity_thresholds={"DNA": "1"}),
        ["body", "entity_thresholds", "DNA"],
        "give a number",
    ),
    "an entity's threshold is NaN": (
        b'{"text": "a", "entity_thresholds": {"DNA": NaN}}',
        ["body", "entity_thresholds", "DNA"],
        "give a finite number",
    ),
    **{
        f"format is {json.dumps(value)}": (
            dumps(text="a", format=value),
            ["body", "format"],
            "give 'json', 'bioc', 'bioc-xml', 'pubtator' or 'brat'",
        )
        for value in ("xml", "JSON", "", None, 1, [], {})
    },
    "no documents": (
        dumps(documents=[]),
        ["body", "documents"],
        "an empty list; give at least one, or leave it out",
    ),
    "no entities": (
        dumps(text="a", entities=[]),
        ["body", "entities"],
        "an empty list; give at least one, or leave it out",
    ),
    "an unknown entity": (
        dumps(text="a", entities=["DNA", "gene"]),
        ["body", "entities"],
        f"the model has no entity 'gene'; {ENTITIES}",
    ),
    "a threshold of an unknown entity": (
        dumps(text="a", entity_thresholds={"gene": 0.5}),
        ["body", "entity_thresholds"],
        f"the model has no entity 'gene'; {ENTITIES}",
    ),
    "an unknown field": (dumps(text="a", treshold=0.5), ["body", "treshold"], "no such field; leave it out"),
    "a document without text": (dumps(documents=[{}]), ["body", "documents", 0, "text"], "missing; it must be there"),
    "a long text": (dumps(text="ä" * 1_001), ["body", "text"], "longer than 1,000 characters; shorten or split it"),
    "a long text in a document": (
        dumps(documents=[{"text": "a"}, {"text": "a" * 1_001}]),
        ["body", "documents", 1, "text"],
        "longer than 1,000 characters; shorten or split it",
    ),
    "many documents": (
        dumps(documents=[{"text": "a"}] * 4),
        ["body", "documents"],
        "more than 3 in the list; send fewer at once",
    ),
    "400,000 documents": (
        dumps(documents=[5] * 400_000),
        ["body", "documents"],
        "more than 3 in the list; send fewer at once",
    ),
    "an id of 4,000 digits": (
        b'{"documents": [{"text": "a", "document_id": ' + b"9" * 4_000 + b"}]}",
        ["body", "documents", 0, "document_id"],
        "longer than 1,000 characters; shorten or split it",
    ),
    "a long entity": (
        dumps(text="a", entities=["x" * 100_000]),
        ["body", "entities", 0],
        "longer than 1,000 characters; shorten or split it",
    ),
    "a long unknown field": (
        dumps(text="a", **{"x" * 100_000: 1}),
        ["body", "x" * 100 + "..."],
        "no such field; leave it out",
    ),
    "half a surrogate pair in a text": (b'{"text": "a\\ud83d"}', ["body", "text"], SURROGATE),
    "half a surrogate pair in a document": (
        b'{"documents": [{"text": "\\udc00"}]}',
        ["body", "documents", 0, "text"],
        SURROGATE,
    ),
    "half a surrogate pair in an id": (
        b'{"documents": [{"text": "a", "document_id": "\\ud800"}]}',
        ["body", "documents", 0, "document_id"],
        SURROGATE,
    ),
    "half a surrogate pair in an entity": (
        b'{"text": "a", "entities": ["\\ud800"]}',
        ["body", "entities", 0],
        SURROGATE,
    ),
    "half a surrogate pair as a field": (b'{"text": "a", "\\ud800": 1}', ["body"], SURROGATE),
    "half a surrogate pair as an entity's threshold": (
        b'{"text": "a", "entity_thresholds": {"\\ud800": 7}}',
        ["body", "entity_thresholds", "\ufffd\ufffd\ufffd", "[key]"],
        SURROGATE,
    ),
}


@pytest.mark.parametrize("name", FIELDS)
def test_what_is_wrong_with_a_field_is_said(client, name):
    body, loc, message = FIELDS[name]
    answer = client.post("/v1/tag", body)
    assert answer.status == 422
    first = answer.json["detail"][0]
    assert first["loc"] == loc
    assert message in (None, first["msg"])
    assert "\n" not in first["msg"]
    assert len(answer.body) < 1_000


def test_all_fields_that_are_wrong_are_named(client):
    answer = client.post("/v1/tag", dumps(text=1, entities=2, threshold="x", format=3, more=4))
    assert [one["loc"][-1] for one in answer.json["detail"]] == ["text", "entities", "threshold", "format", "more"]


def test_but_not_a_hundred_thousand(client):
    answer = client.post("/v1/tag", dumps(text="a", **{str(number): 1 for number in range(100_000)}))
    assert answer.status == 422
    assert len(answer.json["detail"]) == 21
    assert answer.json["detail"][-1] == {"loc": ["body"], "msg": "and 99,980 more problems", "type": "more"}


def test_an_entity_that_is_wrong_many_times_is_named_once(client):
    answer = client.post("/v1/tag", dumps(text="a", entities=["gene"] * 100_000))
    assert len(answer.json["detail"]) == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\0",
        "a\0b",
        "\x01\x1b[31m\x7f\x85",
        "\u202e\u200b\ufeff",
        "\r\n\t\v\f",
        "\ufffe\uffff",
        "🧬" * 500,
        "e" + "\u0301" * 900,
        "a" * 1_000,
        "." * 1_000,
        "IL-2 " * 200,
        "<script>alert(1)</script>",
        "{{7*7}}",
        "%s%n",
        "'; DROP TABLE x;--",
    ],
    ids=lambda text: ascii(text)[:20],
)
@pytest.mark.parametrize("to", ["json", "bioc", "bioc-xml", "pubtator", "brat"])
def test_any_text_is_tagged(client, text, to):
    answer = client.post("/v1/tag", dumps(documents=[{"text": text, "document_id": text}], format=to))
    assert answer.status == 200
    if to == "json":
        (document,) = answer.json["documents"]
        assert document["document_id"] == text or not text
        assert document["error"] is None
        assert all(text[chunk["start"] : chunk["end"]] == chunk["text"] for chunk in document["chunks"])


@pytest.mark.parametrize("to", ["json", "bioc", "bioc-xml", "pubtator", "brat"])
@pytest.mark.parametrize("names", [["a", "a", "A"], ["../../x", "/x", "."], ["2", None, None], ["", "x/", "x\\"]])
def test_any_ids_are_taken(client, to, names):
    documents = [{"document_id": name, "text": f"IL-{number} gene"} for number, name in enumerate(names)]
    assert client.post("/v1/tag", dumps(documents=documents, format=to)).status == 200


def test_ids_are_strings_or_integers(client):
    documents = [{"document_id": name, "text": ""} for name in (0, -7, "x")]
    answer = client.post("/v1/tag", dumps(documents=documents))
    assert [document["document_id"] for document in answer.json["documents"]] == ["0", "-7", "x"]


@pytest.mark.parametrize(
    "body",
    [
        GOOD.decode().encode("utf-16"),
        b"\xef\xbb\xbf" + GOOD,
        b'{"text": "x", "text": "IL-2 gene"}',
        b" " * 1_000 + GOOD,
    ],
    ids=["UTF-16", "byte order mark", "a field twice: the last", "white space"],
)
def test_what_json_allows_is_read(client, body):
    answer = client.post("/v1/tag", body)
    assert answer.status == 200
    assert answer.json["documents"][0]["chunks"][0]["text"] == "IL-2 gene"


@pytest.mark.parametrize(
    "content_type",
    [None, "", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonl", "\xff"],
)
def test_a_body_that_is_not_said_to_be_json(client, content_type):
    answer = client.post("/v1/tag", GOOD, {} if content_type is None else {"content-type": content_type})
    assert (answer.status, answer.json["detail"]) == (
        415,
        "body: send JSON, and say so: `Content-Type: application/json`",
    )


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "APPLICATION/JSON", "application/ld+json"])
def test_a_body_that_is_said_to_be_json(client, content_type):
    assert client.post("/v1/tag", GOOD, {"content-type": content_type}).status == 200


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "FOO"])
@pytest.mark.parametrize("path", ["/", "/v1/tag", "/v1/tag/stream", "/v1/model", "/health", "/ready", "/metrics"])
def test_other_methods_are_refused(client, method, path):
    answer = client.ask(method, path, GOOD)
    right = "POST" if path.startswith("/v1/tag") else "GET"
    assert (answer.status, answer.headers["allow"]) == (405, right)
    assert answer.json == {"detail": f"{method} is not for this path; use {right}"}


@pytest.mark.parametrize(
    "path",
    ["//v1/tag", "/v1/tag/", "/v1//tag", "/v1/../v1/tag", "/v1/./tag", "/v1/%74ag", "/V1/TAG", "/v1/tag\0", "/v1/tag;x"]
    + ["", "*", "v1/tag", "/v1", "/v1/täg", "/v1/tag\udcff", "/" + "x" * 100_000, "/redoc", "/docs/", "/.git/config"]
    + [f"/static-offline-docs/{file}" for file in ("", "..", "../../etc/passwd", "nothing.js", "\0", "x" * 5_000)],
    ids=lambda path: ascii(path)[:40],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_other_paths_are_refused(client, method, path):
    answer = client.ask(method, path, GOOD)
    assert answer.status in (404, 405)
    assert answer.json["detail"].split("; ")[0] in ("no such path", "POST is not for this path")


@pytest.mark.parametrize(
    "query",
    [b"x=" + b"y" * 200_000, b"&" * 50_000, b"%", b"\xff\x00", b"x[]=1&x[]=2", b"text=a"],
    ids=lambda query: ascii(query)[:20],
)
def test_a_request_has_no_query(client, query):
    assert client.ask("POST", "/v1/tag", GOOD, query=query).status == 200
    assert client.ask("GET", "/v1/model", query=query).status == 200
    assert client.ask("POST", "/v1/tag/stream", GOOD, query=query).status in (200, 422)


@pytest.mark.parametrize(
    "name", ["x-long", "cookie", "authorization", "accept", "accept-encoding", "host", "range", "expect"]
)
@pytest.mark.parametrize("value", ["y" * 100_000, "\xff\xfe", "a; b=c, d;;;", ""], ids=lambda value: ascii(value)[:20])
def test_headers_that_say_nothing_to_us(client, name, value):
    assert client.post("/v1/tag", GOOD, JSON_HEADERS | {name: value}).status == 200
