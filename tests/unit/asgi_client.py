"""Asks the endpoint's ASGI application in this process, byte for byte as a server would."""

import asyncio
import json
from typing import NamedTuple

from actors.token_classifier import TokenClassifier
from pipelines.isolation import classify
from pipelines.serving.api import build_api
from pipelines.serving.options import ServeOptions

LEAVES = object()
JSON_HEADERS = {"content-type": "application/json"}


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def lines(self):
        return [json.loads(line) for line in self.body.splitlines()]


class Client:
    """Keeps one event loop, as a process does."""

    def __init__(self, app, runner):
        self.app, self._runner = app, runner

    def run(self, work):
        return self._runner.run(work)

    def ask(self, method, path, body=b"", headers=JSON_HEADERS, query=b""):
        return self.run(self.exchange(method, path, [body], headers, query))

    def post(self, path, content, headers=JSON_HEADERS, **options):
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        return self.ask("POST", path, body, headers, **options)

    async def exchange(self, method, path, pieces, headers=JSON_HEADERS, query=b"", sent=None):
        """One request.

        Args:
            pieces: Of the body; an iterable, or an asynchronous one. After None nothing comes any more; at LEAVES the
                client leaves, and there may be no answer (None).
            sent: A queue that gets the pieces of the answer as they come.
        """
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode("utf-8", "surrogateescape"),
            "query_string": query,
            "root_path": "",
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 8000),
        }
        messages = _messages(pieces)
        got = []

        async def receive():
            async for message in messages:
                return message
            return await asyncio.Event().wait()

        async def send(message):
            got.append(message)
            if sent is not None and message["type"] == "http.response.body":
                await sent.put(message["body"])

        await self.app(scope, receive, send)
        if not got:
            return None
        headers = {name.decode(): value.decode() for name, value in got[0]["headers"]}
        return Answer(got[0]["status"], headers, b"".join(message["body"] for message in got[1:]))


async def _messages(pieces):
    async def each():
        if hasattr(pieces, "__aiter__"):
            async for piece in pieces:
                yield piece
        else:
            for piece in pieces:
                yield piece

    async for piece in each():
        if piece is None:
            await asyncio.Event().wait()
        while piece is LEAVES:
            yield {"type": "http.disconnect"}
        yield {"type": "http.request", "body": piece, "more_body": True}
    yield {"type": "http.request", "body": b"", "more_body": False}


def make_client(model, runner, *, classifier=None, classified=None, ready=None, **options):
    """A client of an endpoint with a real model in this process."""
    loaded = classifier or TokenClassifier(model)

    async def in_a_thread(tokens):
        return await asyncio.to_thread(classify, loaded, tokens)

    async def always():
        return None

    app = build_api(
        ServeOptions(**options), model=model, classify=classified or in_a_thread, ready=ready or always, replica="r1"
    )
    return Client(app, runner)
