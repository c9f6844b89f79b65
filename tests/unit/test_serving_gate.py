"""The gate: what is inside is answered, what comes after is refused."""

import asyncio

from pipelines.serving.gate import Gate

HTTP = {"type": "http", "method": "GET", "headers": []}


class App:
    """Answers when it is told to, or fails."""

    def __init__(self):
        self.go, self.error, self.answered = asyncio.Event(), None, 0

    async def __call__(self, scope, receive, send):  # noqa: ARG002  # ASGI's signature
        await self.go.wait()
        self.answered += 1
        if self.error:
            raise self.error


async def request(gate, scope=HTTP):
    sent = []

    async def send(message):
        sent.append(message)

    await gate(scope, None, send)
    return sent


async def settle():
    for _ in range(5):
        await asyncio.sleep(0)


def test_it_closes_when_all_that_was_inside_is_answered_and_lets_nobody_in_meanwhile():
    async def scenario():
        app = App()
        gate = Gate(app, retry_after=5)
        inside = [asyncio.create_task(request(gate)) for _ in range(3)]
        await settle()
        closing = asyncio.create_task(gate.close())
        await settle()
        start, body = await request(gate)
        assert start["status"] == 503
        assert (b"retry-after", b"5") in start["headers"]
        assert b"try again" in body["body"]
        assert not closing.done()
        app.go.set()
        await asyncio.gather(*inside)
        await asyncio.wait_for(closing, 5)
        assert app.answered == 3

    asyncio.run(scenario())


def test_who_fails_or_leaves_is_not_waited_for():
    async def scenario():
        app = App()
        gate = Gate(app, retry_after=5)
        leaves, fails = (asyncio.create_task(request(gate)) for _ in range(2))
        await settle()
        closing = asyncio.create_task(gate.close())
        leaves.cancel()
        app.error = ValueError("a fault")
        app.go.set()
        results = await asyncio.gather(leaves, fails, return_exceptions=True)
        assert [type(result) for result in results] == [asyncio.CancelledError, ValueError]
        await asyncio.wait_for(closing, 5)

    asyncio.run(scenario())


def test_an_empty_one_closes_at_once_and_what_is_no_request_is_let_through():
    async def scenario():
        app = App()
        app.go.set()
        gate = Gate(app, retry_after=5)
        await asyncio.wait_for(gate.close(), 5)
        await request(gate, {"type": "lifespan"})
        assert app.answered == 1

    asyncio.run(scenario())
