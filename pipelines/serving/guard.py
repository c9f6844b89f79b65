"""What stands before the API: the bearer token, the size of a body, and the time in which it has to come."""

import asyncio
import hmac
from collections.abc import Callable, Collection
from pathlib import Path

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipelines.config import ConfigError
from pipelines.serving.refusal import RefusedError


def read_token(path: str | None) -> bytes | None:
    """The token in a file, without the white space around it; None without a file.

    Raises:
        ConfigError: The file cannot be read, or holds no token.
    """
    if path is None:
        return None
    try:
        token = Path(path).read_bytes().strip()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); put the token there, or leave it out") from None
    if not token or not token.isascii() or len(token.split()) != 1:
        raise ConfigError(f"{path}: holds no token; a token is one word of ASCII characters")
    return token


class Guard:
    """ASGI middleware that lets no body past it before the token is right and all of the body is there.

    Args:
        app: What it guards.
        token: What requests must carry as `Authorization: Bearer`; None for no token.
        is_open: Whether a path needs no token.
        streams: Those whose bodies are passed on as they come.
        body_bytes: The largest body.
        timeout: Seconds in which it must be there.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        token: bytes | None,
        is_open: Callable[[str], bool],
        streams: Collection[str],
        body_bytes: int,
        timeout: float,
    ) -> None:
        self._app = app
        self._token = token
        self._is_open, self._streams = is_open, streams
        self._body_bytes, self._timeout = body_bytes, timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, or answers it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            path, headers = scope["path"], Headers(scope=scope)
            if not self._is_open(path):
                self._check_token(headers)
            if headers.get("content-encoding", "identity").lower() != "identity":
                raise RefusedError(415, "body: compressed; send it without Content-Encoding")
            if path not in self._streams:
                receive = await self._whole_body(headers, receive)
        except RefusedError as refused:
            await refused.answer()(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _check_token(self, headers: Headers) -> None:
        if self._token is None:
            return
        scheme, _, given = headers.get("authorization", "").partition(" ")
        right = hmac.compare_digest(given.strip().encode("latin-1", "replace"), self._token)
        if scheme.lower() != "bearer" or not right:
            raise RefusedError(401, "this endpoint wants its token: send `Authorization: Bearer TOKEN`")

    async def _whole_body(self, headers: Headers, receive: Receive) -> Receive:
        """The body, all of it, as one message."""
        too_large = RefusedError(
            413, f"body: larger than {self._body_bytes:,} bytes; send fewer documents, or use POST /v1/tag/stream"
        )
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length[:20]) > self._body_bytes:
            raise too_large
        body = bytearray()
        try:
            async with asyncio.timeout(self._timeout):
                more = True
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise ClientDisconnect
                    body += message.get("body", b"")
                    if len(body) > self._body_bytes:
                        raise too_large
                    more = message.get("more_body", False)
        except TimeoutError:
            raise RefusedError(408, f"body: not there after {self._timeout:g} s; send it again") from None
        whole: list[Message] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

        async def replay() -> Message:
            return whole.pop() if whole else await receive()

        return replay
