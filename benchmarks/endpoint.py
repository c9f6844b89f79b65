"""`cytotag serve` as a process of its own, and the client that asks it."""

import asyncio
import contextlib
import json
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import psutil

STARTED = "Ctrl-C stops"
"""What it says when it answers, and can be stopped."""

START_SECONDS = 180
STOP_SECONDS = 90
MODEL, FRONT, PROXY = "ServeReplica:cytotag:TokenClassifier", "ServeReplica:cytotag:Endpoint", "ProxyActor"
"""What the processes of an endpoint are called, by the titles that Ray gives them."""

HEADERS = {"Content-Type": "application/json"}


class Answer(NamedTuple):
    """What came of a request. `status` is 0 where the connection broke."""

    status: int
    retry_after: str | None
    body: bytes
    began: float
    ended: float

    @property
    def chunks(self) -> list[list[dict[str, Any]]]:
        """The chunks of each document."""
        return [document["chunks"] for document in json.loads(self.body)["documents"]]


@dataclass(frozen=True)
class Endpoint:
    """A `cytotag serve` that runs.

    Attributes:
        url: Where it answers.
        process: The command.
        log: What it says.
    """

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def said(self) -> list[str]:
        """The lines that it printed so far."""
        return self.log.read_text(encoding="utf-8").splitlines()

    def ask(
        self,
        path: str,
        body: dict[str, Any] | bytes | None = None,
        headers: Mapping[str, str] = {},
        timeout: float = 60,
    ) -> tuple[int, Message, bytes]:
        """Status, headers and body of an answer; a body is sent as JSON, unless `headers` say otherwise."""
        content = json.dumps(body).encode() if isinstance(body, dict) else body
        sent = HEADERS | dict(headers) if content is not None else dict(headers)
        request = urllib.request.Request(self.url + path, content, sent)  # noqa: S310  # http
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:  # noqa: S310  # http
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read()

    def session(self) -> aiohttp.ClientSession:
        """A client with as many connections as requests."""
        return aiohttp.ClientSession(
            self.url, connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=120)
        )

    def processes(self, title: str = "") -> list[psutil.Process]:
        """The processes of Ray's that it started and whose title has `title`; without one, all."""
        found = []
        for process in psutil.Process(self.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):  # it ended since
                if title in " ".join(process.cmdline()):
                    found.append(process)
        return found

    def waiting_pieces(self) -> int:
        """Word pieces that hold room, by `/metrics`."""
        return self._gauge("cytotag_waiting_pieces")

    def open_requests(self) -> int:
        """Requests that are being answered, by `/metrics`, which is not one of them."""
        return self._gauge("cytotag_requests_open") - 1

    def _gauge(self, name: str) -> int:
        metrics = self.ask("/metrics")[2].decode()
        return int(float(re.findall(rf"^{name}\{{.*\}} (\S+)$", metrics, re.MULTILINE)[0]))

    def stop(self) -> int:
        """Stops it as a user does, and gives its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_SECONDS)


@contextlib.contextmanager
def serving(*options: str, port: int | None = None) -> Iterator[Endpoint]:
    """Runs `cytotag serve`, on a free port of the loopback where none is given, and stops it after.

    Raises:
        RuntimeError: It ended before it answered, or took too long.
    """
    port = port or free_port()
    command = [sys.executable, "-m", "pipelines", "serve", "--port", str(port), *options]
    with tempfile.TemporaryDirectory(prefix="cytotag-serve-") as folder:
        log = Path(folder, "said")
        with log.open("wb") as file:
            process = subprocess.Popen(command, stdout=file, stderr=file)  # noqa: S603  # our own command
        endpoint, began = Endpoint(f"http://127.0.0.1:{port}", process, log), time.monotonic()
        try:
            while not any(STARTED in line for line in endpoint.said()):
                if process.poll() is not None or time.monotonic() - began > START_SECONDS:
                    raise RuntimeError(f"cytotag serve did not start: {endpoint.said()[-20:]}")
                time.sleep(0.2)
            yield endpoint
        finally:
            if process.poll() is None:
                try:
                    endpoint.stop()
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


async def tag(session: aiohttp.ClientSession, body: bytes | AsyncIterator[bytes], **headers: str) -> Answer:
    """Sends one request, its body at once or in parts."""
    began = time.perf_counter()
    try:
        async with session.post("/v1/tag", data=body, headers=HEADERS | headers) as answer:
            content = await answer.read()
            status, retry_after = answer.status, answer.headers.get("Retry-After")
    except (aiohttp.ClientError, asyncio.IncompleteReadError) as error:
        status, retry_after, content = 0, None, repr(error).encode()
    return Answer(status, retry_after, content, began, time.perf_counter())


def text_body(text: str) -> bytes:
    """A request with one text."""
    return json.dumps({"text": text}).encode()
