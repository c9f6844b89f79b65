"""The endpoint under load by a real client on the same machine, beside the bare model on the same abstracts.

`python -m benchmarks.serve_load --help`
"""

import asyncio
import json
import time
from dataclasses import asdict, dataclass
from itertools import cycle
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import typer
from rich.console import Console
from rich.table import Table

from actors.model_files import ModelFiles
from actors.token_classifier import TokenClassifier
from benchmarks.endpoint import Answer, Endpoint, serving, tag, text_body
from pipelines.corpora.records import Record
from pipelines.light import LightPipeline
from pipelines.local_ray import local_cpus
from pipelines.preparation import Preparation
from pipelines.serving.answers import DECIMALS
from pipelines.serving.batching import pieces_of, shares
from pipelines.serving.options import ServeOptions

BATCHING = {"on": str(ServeOptions().batch_pieces), "off": "1"}


@dataclass(frozen=True)
class Abstracts:
    """What is sent, what the model reads of it, and what is to come back."""

    texts: list[str]
    tokens: pa.Table
    pieces: npt.NDArray[np.int64]
    chunks: list[list[dict[str, Any]]]

    @classmethod
    def of(cls, corpus: Path, model: ModelFiles, threads: int) -> "Abstracts":
        """The documents of a JSONL file."""
        texts = [json.loads(line)["text"] for line in corpus.read_text(encoding="utf-8").splitlines()]
        records = [Record.of(str(number), text) for number, text in enumerate(texts)]
        table = Preparation(model, source="corpus")(records)
        return cls(texts, table, pieces_of(table), light_chunks(LightPipeline(model, threads=threads), texts))


def light_chunks(pipeline: LightPipeline, texts: list[str]) -> list[list[dict[str, Any]]]:
    """The chunks of each text as an endpoint gives them."""
    return [
        [chunk | {"score": round(chunk["score"], DECIMALS)} for chunk in chunks] for chunks in pipeline.annotate(texts)
    ]


@dataclass(frozen=True)
class Load:
    """A row of the table: what was measured while so many requests were in flight."""

    batching: str
    in_flight: int
    answers: int
    requests_per_second: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    pieces_per_second: float
    bare_pieces_per_second: float
    client_cores: float
    """CPU seconds of this process a second: near 1, it is the client that is measured."""


class BareModel:
    """The model alone, in batches as large as the endpoint's may be."""

    def __init__(self, model: ModelFiles, abstracts: Abstracts, threads: int) -> None:
        self._classifier = TokenClassifier(model, threads=threads)
        bounds = shares(abstracts.pieces, int(BATCHING["on"]))
        self._batches = [abstracts.tokens.slice(start, end - start) for start, end in bounds]
        self._pieces = [int(abstracts.pieces[start:end].sum()) for start, end in bounds]
        self._classifier(self._batches[0])

    def pieces_per_second(self, seconds: float) -> float:
        """Word pieces a second, over so many seconds or a batch."""
        done, began = 0, time.perf_counter()
        for batch, pieces in cycle(zip(self._batches, self._pieces, strict=True)):
            self._classifier(batch)
            done += pieces
            if (took := time.perf_counter() - began) >= seconds:
                break
        return done / took


async def closed_loop(
    endpoint: Endpoint, bodies: list[bytes], *, in_flight: int, warm_up: float, seconds: float
) -> tuple[list[tuple[int, Answer]], float, float, float]:
    """Keeps so many requests in flight.

    Returns:
        Each answer with the number of its body; when the warm-up was over, and when the first of them were not sent
        again (time.perf_counter); CPU seconds of this process between these.
    """
    answers: list[tuple[int, Answer]] = []
    sent, stop = 0, False

    async with endpoint.session() as session:

        async def client() -> None:
            nonlocal sent
            while not stop:
                number, sent = sent % len(bodies), sent + 1
                answers.append((number, await tag(session, bodies[number])))

        clients = [asyncio.create_task(client()) for _ in range(in_flight)]
        await asyncio.sleep(warm_up)
        began, cpu, before = time.perf_counter(), time.process_time(), len(answers)
        while time.perf_counter() - began < seconds or len(answers) - before < in_flight:
            await asyncio.sleep(0.05)
        ended, cpu = time.perf_counter(), time.process_time() - cpu
        stop = True
        await asyncio.gather(*clients)
    return answers, began, ended, cpu


def check(answers: list[tuple[int, Answer]], abstracts: Abstracts) -> None:
    """Compares answers with LightPipeline's.

    Raises:
        RuntimeError: One has other chunks, or is a refusal.
    """
    for document, answer in answers:
        if answer.status != 200:
            raise RuntimeError(f"document {document}: {answer.status}, {answer.body[:200]!r}")
        if answer.chunks != [abstracts.chunks[document]]:
            raise RuntimeError(f"document {document}: other chunks than LightPipeline's")


def measure(
    endpoint: Endpoint,
    abstracts: Abstracts,
    bare: BareModel,
    *,
    batching: str,
    in_flight: int,
    warm_up: float,
    seconds: float,
) -> Load:
    """One row; the bare model is run before and after, as the speed of a machine may change.

    Raises:
        RuntimeError: An answer is wrong.
    """
    alone = bare.pieces_per_second(seconds / 2)
    bodies = [text_body(text) for text in abstracts.texts]
    answers, began, ended, cpu = asyncio.run(
        closed_loop(endpoint, bodies, in_flight=in_flight, warm_up=warm_up, seconds=seconds)
    )
    alone_again = bare.pieces_per_second(seconds / 2)
    check(answers, abstracts)
    counted = [(document, answer) for document, answer in answers if began < answer.ended <= ended]
    milliseconds = [1000 * (answer.ended - answer.began) for _, answer in counted]
    p50, p95, p99 = np.percentile(milliseconds, (50, 95, 99)).tolist()
    took = ended - began
    return Load(
        batching=batching,
        in_flight=in_flight,
        answers=len(counted),
        requests_per_second=len(counted) / took,
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        pieces_per_second=sum(int(abstracts.pieces[document]) for document, _ in counted) / took,
        bare_pieces_per_second=(alone + alone_again) / 2,
        client_cores=cpu / took,
    )


def main(
    corpus: Annotated[Path, typer.Option(help="JSONL with text; a request a line.")] = Path(
        "../shared/jnlpba/dev.jsonl"
    ),
    in_flight: Annotated[list[int] | None, typer.Option(help="Requests at once; 1, 8 and 64.")] = None,
    warm_up: Annotated[float, typer.Option(help="Seconds before each measurement.")] = 5,
    seconds: Annotated[float, typer.Option(help="Seconds of each measurement.")] = 30,
    replicas: Annotated[int | None, typer.Option(help="Models, a thread each; one a core if not said.")] = None,
    model: Annotated[Path | None, typer.Option(help="Model folder; the embedded one if not said.")] = None,
    output: Annotated[Path | None, typer.Option(help="File for the numbers, JSON.")] = None,
) -> None:
    """Measure requests/s and latency of `cytotag serve`, with batching on and off.

    Every answer is compared with LightPipeline's. The bare model is run on the same abstracts before and after
    each measurement, with nothing else and as many threads.
    """
    files, replicas = ModelFiles.from_pretrained(model), replicas or local_cpus()
    abstracts = Abstracts.of(corpus, files, replicas)
    options = ["--replicas", str(replicas), *(["--model", str(model)] if model else [])]
    bare = BareModel(files, abstracts, replicas)
    rows = []
    for batching, pieces in BATCHING.items():
        with serving("--batch-pieces", pieces, *options) as endpoint:
            for number in in_flight or (1, 8, 64):
                about = {"batching": batching, "in_flight": number, "warm_up": warm_up, "seconds": seconds}
                rows.append(measure(endpoint, abstracts, bare, **about))
    Console().print(table_of(rows))
    Console().print(
        f"models: {replicas}; {sum(row.answers for row in rows):,} answers, each with LightPipeline's chunks; "
        f"the client took at most {max(row.client_cores for row in rows):.2f} of a core"
    )
    if output:
        figures = {"replicas": replicas, "loads": [asdict(row) for row in rows]}
        output.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def table_of(rows: list[Load]) -> Table:
    """What was measured; `/bare` is the endpoint's word pieces a second over the bare model's."""
    table = Table()
    for heading in ("batching", "in flight", "req/s", "p50 ms", "p95 ms", "p99 ms", "pieces/s", "/bare"):
        table.add_column(heading, justify="right")
    for row in rows:
        milliseconds = [f"{value:,.0f}" for value in (row.p50_ms, row.p95_ms, row.p99_ms)]
        share = row.pieces_per_second / row.bare_pieces_per_second
        rates = f"{row.pieces_per_second:,.0f}", f"{share:.2f}"
        table.add_row(row.batching, f"{row.in_flight}", f"{row.requests_per_second:.1f}", *milliseconds, *rates)
    return table


if __name__ == "__main__":
    typer.run(main)
