"""JSON lines in, JSON lines out, in their order, with no more than a few of them in memory."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, NamedTuple

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

LINES_WAITING = 16
GROUP_LINES = 32
GROUP_BYTES = 32_768
GROUPS_AHEAD = 3
"""Groups that are tagged, or wait to be sent, at once."""


class DuplexResponse(StreamingResponse):
    """An answer that is sent while the request is still being read.

    Starlette's own listens for the client's leaving meanwhile, and so takes pieces of the body that are not its.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  # ASGI's signature
        """Sends the answer."""
        await self.stream_response(send)


class Line(NamedTuple):
    """A line of the request that is not empty. Exactly one of `content` and `problem` is None."""

    number: int
    content: bytes | None
    problem: str | None


async def read_lines(body: AsyncIterator[bytes], *, longest: int, most: int, idle: float) -> AsyncIterator[Line]:
    """Cuts a body into lines, holding one of them.

    Args:
        body: Its pieces, as they come.
        longest: Bytes of a line; a longer one is a problem, and read past.
        most: Bytes of the body; what comes after is one problem.
        idle: Seconds in which the next piece must come; else the last line is a problem.
    """
    number, total, line = 1, 0, bytearray()
    pieces = aiter(body)
    while True:
        try:
            piece = await asyncio.wait_for(anext(pieces), idle)
        except StopAsyncIteration:
            break
        except TimeoutError:
            yield Line(number, None, f"nothing came for {idle:g} s; the stream was ended here, send the rest again")
            return
        *ends, rest = piece[: most - total].split(b"\n")
        total += len(piece)
        for end in ends:
            if (found := _line(number, line, end, longest)) is not None:
                yield found
            line.clear()
            number += 1
        if total > most:
            yield Line(number, None, f"the stream is larger than {most:,} bytes; send from this line on in another")
            return
        line += rest[: longest + 1 - len(line)]  # enough to know that it is too long
    if (found := _line(number, line, b"", longest)) is not None:
        yield found


def _line(number: int, begin: bytearray, end: bytes, longest: int) -> Line | None:
    if len(begin) + len(end) > longest:
        return Line(number, None, f"longer than {longest:,} bytes; split the document")
    content = bytes(begin + end)
    return Line(number, content, None) if content.strip() else None


async def answer_lines(
    lines: AsyncIterator[Line], answer: Callable[[list[Line]], Coroutine[Any, Any, bytes]]
) -> AsyncIterator[bytes]:
    """Answers lines in groups of those that are there, some groups at once, and gives the answers in order.

    A line is never held back until more come: who sends one and waits gets its answer.

    Args:
        lines: The request.
        answer: The answer to successive lines.
    """
    waiting: asyncio.Queue[Line | None] = asyncio.Queue(LINES_WAITING)
    groups: asyncio.Queue[asyncio.Task[bytes] | None] = asyncio.Queue(GROUPS_AHEAD)
    tasks: set[asyncio.Task[Any]] = set()
    failures: list[Exception] = []

    def start(work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        tasks.add(task := asyncio.create_task(work))
        task.add_done_callback(tasks.discard)
        return task

    async def read() -> None:
        try:
            async for line in lines:
                await waiting.put(line)
        except Exception as error:
            failures.append(error)
        await waiting.put(None)

    async def group() -> None:
        while (line := await waiting.get()) is not None:
            members, size = [line], len(line.content or b"")
            while len(members) < GROUP_LINES and size < GROUP_BYTES and not waiting.empty():
                if (line := waiting.get_nowait()) is None:
                    waiting.put_nowait(None)  # the end, for the outer loop
                    break
                members.append(line)
                size += len(line.content or b"")
            await groups.put(start(answer(members)))
        await groups.put(None)

    start(read())
    start(group())
    try:
        while (task := await groups.get()) is not None:
            yield await task
        if failures:
            raise failures[0]
    finally:
        for task in tuple(tasks):
            task.cancel()
