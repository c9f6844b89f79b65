"""What an endpoint process counts, for Prometheus."""

import time

import pyarrow as pa
import pyarrow.compute as pc
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
OTHER = "other"
CLIENT_LEFT = 499
"""Nobody is there to see it; the status that nginx logs."""


class Measures:
    """Counts since the process started. Each process has its own: `replica` tells them apart.

    Args:
        replica: The process's name.
    """

    def __init__(self, replica: str) -> None:
        self._replica = replica
        self._registry = registry = CollectorRegistry()
        name, path = ["replica"], ["replica", "path"]
        self._requests = Counter("cytotag_requests", "Requests.", [*path, "status"], registry=registry)
        self._seconds = Histogram(
            "cytotag_request_seconds", "To the end of the answer.", path, buckets=SECONDS, registry=registry
        )
        self._chunks = Counter("cytotag_chunks", "Chunks found.", ["replica", "entity"], registry=registry)
        self._open = Gauge("cytotag_requests_open", "Requests that are being answered.", name, registry=registry)
        self._waiting = Gauge("cytotag_waiting_pieces", "Word pieces in or before the model.", name, registry=registry)
        self._documents = Counter("cytotag_documents", "Documents tagged.", name, registry=registry)
        self._errors = Counter("cytotag_document_errors", "Documents not tagged.", name, registry=registry)
        self._characters = Counter("cytotag_characters", "Characters tagged.", name, registry=registry)
        self._pieces = Counter("cytotag_pieces", "Word pieces that the model read.", name, registry=registry)
        self._model_seconds = Counter("cytotag_model_seconds", "Time in the model.", name, registry=registry)

    def count(self, chunks: pa.Table) -> None:
        """Adds documents that were answered (CHUNK)."""
        use = chunks["model_use"].combine_chunks()
        sums = {
            self._documents: chunks.num_rows,
            self._errors: chunks.num_rows - chunks["error"].null_count,
            self._characters: pc.sum(pc.utf8_length(chunks["text"])).as_py() or 0,
            self._pieces: pc.sum(use.field("pieces")).as_py() or 0,
            self._model_seconds: pc.sum(use.field("seconds")).as_py() or 0,
        }
        for counter, amount in sums.items():
            counter.labels(self._replica).inc(amount)
        for entity in chunks["chunks"].combine_chunks().flatten().field("entity").value_counts().to_pylist():
            self._chunks.labels(self._replica, entity["values"]).inc(entity["counts"])

    def exposition(self, waiting_pieces: int) -> bytes:
        """In Prometheus's text format."""
        self._waiting.labels(self._replica).set(waiting_pieces)
        return generate_latest(self._registry)

    def around(self, app: ASGIApp, paths: frozenset[str]) -> ASGIApp:
        """Counts the requests that go through an app; paths that are none of `paths` count as one."""

        async def measured(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            path = scope["path"] if scope["path"] in paths else OTHER
            status, began = CLIENT_LEFT, time.perf_counter()

            async def watch(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                await send(message)

            with self._open.labels(self._replica).track_inprogress():
                try:
                    await app(scope, receive, watch)
                except ClientDisconnect:
                    status = CLIENT_LEFT
                except Exception:
                    status = 500
                    raise
                finally:
                    self._requests.labels(self._replica, path, status).inc()
                    self._seconds.labels(self._replica, path).observe(time.perf_counter() - began)

        return measured
