"""What stands before the API: token, size of a body, time."""

import asyncio

import pytest

from pipelines.config import ConfigError
from pipelines.serving.guard import read_token
from tests.unit.asgi_client import JSON_HEADERS

OPEN = ["/", "/health", "/ready", "/docs", "/openapi.json", "/static-offline-docs/swagger-ui.css"]
GUARDED = [("GET", "/v1/model"), ("GET", "/metrics"), ("POST", "/v1/tag"), ("POST", "/v1/tag/stream")]
GOOD = b'{"text": "IL-2 gene"}'


@pytest.fixture
def token_file(tmp_path):
    path = tmp_path / "token"
    path.write_text("  s3cret-Token\n", encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("path", OPEN)
def test_what_says_nothing_of_texts_needs_no_token(endpoint, token_file, path):
    assert endpoint(token_file=token_file).ask("GET", path, headers={}).status == 200


@pytest.mark.parametrize(("method", "path"), [*GUARDED, ("GET", "/nothing"), ("GET", "//health"), ("GET", "/docs/")])
@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        "Bearer s3cret-Token2",
        "Bearer s3cret-Toke",
        "Bearer S3CRET-TOKEN",
        "Basic s3cret-Token",
        "s3cret-Token",
        "Bearer s3cret-Tokené",
        "Bearer \xff\xfe",
        "Bearer s3cret-Token s3cret-Token",
    ],
    ids=ascii,
)
def test_a_missing_or_wrong_token_is_refused(endpoint, token_file, method, path, authorization):
    headers = JSON_HEADERS if authorization is None else JSON_HEADERS | {"authorization": authorization}
    answer = endpoint(token_file=token_file).ask(method, path, GOOD, headers)
    assert answer.status == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json == {"detail": "this endpoint wants its token: send `Authorization: Bearer TOKEN`"}


@pytest.mark.parametrize(("method", "path"), GUARDED)
@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_token_opens(endpoint, token_file, method, path, scheme):
    headers = JSON_HEADERS | {"authorization": f"{scheme} s3cret-Token"}
    assert endpoint(token_file=token_file).ask(method, path, GOOD, headers).status == 200


def test_without_a_token_none_is_asked_for(endpoint):
    assert endpoint().ask("GET", "/v1/model", headers={"authorization": "Bearer any"}).status == 200


def test_a_body_is_not_read_before_the_token_is_right(endpoint, token_file):
    client = endpoint(token_file=token_file)

    async def body():
        pytest.fail("somebody read it")
        yield b""

    for path in ("/v1/tag", "/v1/tag/stream"):
        assert client.run(client.exchange("POST", path, body())).status == 401


@pytest.mark.parametrize("content", [b"", b" \n", b"two words", "schlüssel".encode(), b"\xff"])
def test_a_file_without_a_token_is_refused(tmp_path, content):
    path = tmp_path / "token"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="holds no token; a token is one word of ASCII characters"):
        read_token(str(path))


def test_a_token_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"token: cannot be read \(No such file or directory\); put the token there"):
        read_token(str(tmp_path / "token"))


# sizes

TOO_LARGE = "body: larger than 100 bytes; send fewer documents, or use POST /v1/tag/stream"


def test_a_body_may_have_as_many_bytes_as_it_may(endpoint):
    client = endpoint(body_bytes=100)
    assert client.post("/v1/tag", GOOD.ljust(100)).status == 200
    answer = client.post("/v1/tag", GOOD.ljust(101))
    assert (answer.status, answer.json) == (413, {"detail": TOO_LARGE})


def test_a_body_that_says_that_it_is_too_large_is_not_read(endpoint):
    client = endpoint(body_bytes=100)

    async def body():
        pytest.fail("somebody read it")
        yield b""

    for length in ("101", "9" * 30):
        answer = client.run(client.exchange("POST", "/v1/tag", body(), JSON_HEADERS | {"content-length": length}))
        assert (answer.status, answer.json) == (413, {"detail": TOO_LARGE})


@pytest.mark.parametrize("length", ["1", "21", "-1", "x", "", "1e9", "²"])
def test_a_length_that_is_not_true_is_not_believed(endpoint, length):
    client = endpoint(body_bytes=100)
    headers = JSON_HEADERS | {"content-length": length}
    assert client.post("/v1/tag", GOOD, headers).status == 200
    assert client.post("/v1/tag", GOOD.ljust(101), headers).status == 413


def test_an_endless_body_is_read_up_to_the_limit(endpoint):
    client = endpoint(body_bytes=100)
    read = 0

    async def endless():
        nonlocal read
        while True:
            read += 10
            yield b" " * 10

    assert client.run(client.exchange("POST", "/v1/tag", endless())).status == 413
    assert read == 110


def test_a_body_that_does_not_come_is_given_up(endpoint):
    client = endpoint(timeout=0.2)
    answer = client.run(client.exchange("POST", "/v1/tag", [b'{"text":', None]))
    assert (answer.status, answer.json) == (408, {"detail": "body: not there after 0.2 s; send it again"})


def test_a_body_that_drips_is_given_up_too(endpoint):
    client = endpoint(timeout=0.2)

    async def drips():
        while True:
            yield b" "
            await asyncio.sleep(0.01)

    assert client.run(client.exchange("POST", "/v1/tag", drips())).status == 408


def test_a_body_in_many_pieces_is_whole(endpoint):
    client = endpoint()
    assert client.run(client.exchange("POST", "/v1/tag", [bytes([byte]) for byte in GOOD])).status == 200


@pytest.mark.parametrize("path", ["/v1/tag", "/v1/tag/stream"])
@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate, gzip"])
def test_a_compressed_body_is_refused(endpoint, path, encoding):
    answer = endpoint().post(path, GOOD, JSON_HEADERS | {"content-encoding": encoding})
    assert (answer.status, answer.json["detail"]) == (415, "body: compressed; send it without Content-Encoding")
    assert endpoint().post(path, GOOD, JSON_HEADERS | {"content-encoding": "identity"}).status == 200
