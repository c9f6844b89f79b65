"""Memory of the endpoint over a long time, under all that clients do.

`python -m benchmarks.serve_soak --minutes 10` sends requests, streams and hostile bodies, leaves in the middle of some,
and prints the memory by the minute. Linux, with psutil.
"""

import asyncio
import json
import random
import time
from collections import Counter
from pathlib import Path
from typing import Annotated

import aiohttp
import typer
from rich.console import Console

from benchmarks.endpoint import Endpoint, serving, tag, text_body
from benchmarks.memory import SAMPLE_SECONDS, MemorySamples, print_by_minute

CLIENTS = 12
LINES = 40
HOSTILE = [
    b"",
    b"{",
    b"\xff\xfe",
    b'{"text": 1}',
    b'{"documents": []}',
    b'{"text": "a", "documents": []}',
    b'{"text": "\\ud800"}',
    b"[" * 100_000,
    b'{"text": "' + b"a" * 200_000 + b'"}',
    b'{"text": "' + b"a" * (2 << 20) + b'"}',
]
FORMATS = ("json", "bioc", "bioc-xml", "pubtator", "brat")


class Clients:
    """What the clients do, and how often each answer came.

    Args:
        endpoint: Whom they ask.
        texts: What they send.
        seed: Of their choices.
    """

    def __init__(self, endpoint: Endpoint, texts: list[str], seed: int = 1) -> None:
        self._endpoint, self._texts = endpoint, texts
        self._random = random.Random(seed)  # noqa: S311  # no cryptography
        self.answers: Counter[str] = Counter()

    async def work(self, seconds: float) -> None:
        """Lets them work for so long."""
        end = time.monotonic() + seconds
        kinds = [self._request, self._request, self._hostile, self._stream, self._leave, self._leave_stream]

        async def client() -> None:
            while time.monotonic() < end:
                await self._random.choice(kinds)(session)

        async with self._endpoint.session() as session:
            await asyncio.gather(*(client() for _ in range(CLIENTS)))

    async def _request(self, session: aiohttp.ClientSession) -> None:
        documents = [{"text": text} for text in self._random.choices(self._texts, k=self._random.randint(1, 3))]
        body = {"documents": documents, "format": self._random.choice(FORMATS)}
        answer = await tag(session, json.dumps(body).encode())
        self.answers[f"request {answer.status}"] += 1

    async def _hostile(self, session: aiohttp.ClientSession) -> None:
        answer = await tag(session, self._random.choice(HOSTILE))
        self.answers[f"hostile {answer.status}"] += 1

    async def _stream(self, session: aiohttp.ClientSession) -> None:
        lines = [self._random.choice([text_body(text), b"{"]) for text in self._random.choices(self._texts, k=LINES)]
        async with session.post("/v1/tag/stream", data=b"\n".join(lines)) as answer:
            came = len((await answer.read()).splitlines())
        self.answers[f"stream {answer.status}, {came} of {LINES} lines"] += 1

    async def _leave(self, session: aiohttp.ClientSession) -> None:
        with_limit = asyncio.timeout(self._random.uniform(0.01, 0.5))
        try:
            async with with_limit:
                await tag(session, text_body(self._random.choice(self._texts)))
        except TimeoutError:
            self.answers["left a request"] += 1

    async def _leave_stream(self, session: aiohttp.ClientSession) -> None:
        async def lines():
            while True:
                yield text_body(self._random.choice(self._texts)) + b"\n"
                await asyncio.sleep(0.05)

        try:
            async with asyncio.timeout(self._random.uniform(0.1, 2)), session.post("/v1/tag/stream", data=lines()) as a:
                await a.read()
        except TimeoutError:
            self.answers["left a stream"] += 1


async def _sampled(endpoint: Endpoint, clients: Clients, seconds: float) -> MemorySamples:
    samples, began = MemorySamples(), time.monotonic()
    work = asyncio.create_task(clients.work(seconds))
    while not work.done():
        await asyncio.to_thread(samples.take, endpoint.process.pid, time.monotonic() - began)
        await asyncio.wait([work], timeout=SAMPLE_SECONDS)
    work.result()
    return samples


def soak(texts: list[str], minutes: float, *options: str) -> tuple[MemorySamples, Counter[str]]:
    """Memory of an endpoint under load, and how often each answer came.

    Args:
        texts: What is sent.
        minutes: How long.
        options: Of `cytotag serve`.
    """
    with serving(*options) as endpoint:
        clients = Clients(endpoint, texts)
        samples = asyncio.run(_sampled(endpoint, clients, minutes * 60))
    return samples, clients.answers


def main(
    corpus: Annotated[Path, typer.Option(help="JSONL with text.")] = Path("../shared/jnlpba/dev.jsonl"),
    minutes: Annotated[float, typer.Option(help="How long.")] = 10,
    model: Annotated[Path | None, typer.Option(help="Model folder; the embedded model without it.")] = None,
) -> None:
    """Memory of `cytotag serve` over time."""
    texts = [json.loads(line)["text"] for line in corpus.read_text(encoding="utf-8").splitlines()]
    samples, answers = soak(texts, minutes, *(["--model", str(model)] if model else []))
    print_by_minute(samples)
    for answer, count in sorted(answers.items()):
        Console().print(f"{count:8,} {answer}")


if __name__ == "__main__":
    typer.run(main)
