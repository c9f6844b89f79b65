"""How an endpoint process stops: it refuses what comes, and answers what is there."""

import asyncio

from starlette.types import ASGIApp, Receive, Scope, Send

from pipelines.serving.refusal import RefusedError


class Gate:
    """ASGI middleware that lets requests in until it is closed, and knows when the last is answered.

    Args:
        app: What is behind it.
        retry_after: Seconds after which who was refused may try again.
    """

    def __init__(self, app: ASGIApp, *, retry_after: int) -> None:
        self._app, self._retry_after = app, retry_after
        self._inside, self._closed = 0, False
        self._empty = asyncio.Event()
        self._empty.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, or refuses it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self._closed:
            refused = RefusedError(503, "the endpoint is being stopped; try again later", retry_after=self._retry_after)
            await refused.answer()(scope, receive, send)
            return
        self._inside += 1
        self._empty.clear()
        try:
            await self._app(scope, receive, send)
        finally:
            self._inside -= 1
            if not self._inside:
                self._empty.set()

    async def close(self) -> None:
        """Lets nobody in from now on; returns when nobody is left inside."""
        self._closed = True
        await self._empty.wait()
