"""Our sides of the speed suite, each a command that writes its Turn: the job on Ray, LightPipeline, and the bare loop.

`python -m benchmarks.ours job|light|bare --help`
"""

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import typer

from actors.model_files import ModelFiles
from benchmarks.corpus import FEW_DOCUMENTS, Corpus, model_windows, read_documents, write_corpus
from benchmarks.measurement import ChunkRow, Turn, digest_of, peak_rss, seconds_since_start, write_chunks
from pipelines.job import RunSummary, TagJob
from pipelines.job import run as run_job
from pipelines.light import LightPipeline
from pipelines.outputs.dataset import chunk_tables
from pipelines.stages.ner_converter import NerConverter
from pipelines.tag_schemes import Policy

BATCH = 32
"""Windows of one batch of the bare loop: as rivals have it by default, or are told to."""

app = typer.Typer(add_completion=False, no_args_is_help=True)

Folder = Annotated[Path, typer.Option("--corpus", help="Folder with documents.jsonl.", show_default=False)]
Model = Annotated[Path, typer.Option(help="Model folder.", show_default=False)]
Threads = Annotated[int, typer.Option(help="Threads of the model, in all.", show_default=False)]
Output = Annotated[Path, typer.Option(help="File for the Turn.", show_default=False)]
ChunksFile = Annotated[Path | None, typer.Option("--chunks", help="File for the chunks.", show_default=False)]
PolicyOption = Annotated[
    Policy | None,
    typer.Option("--policy", help="Policy for stray tags; the model's own without it.", show_default=False),
]


@app.command()
def job(
    corpus: Folder,
    once: Annotated[Path, typer.Option(help="Folder of the corpus whose chunks are kept.", show_default=False)],
    model: Model,
    threads: Threads,
    output: Output,
    chunks: ChunksFile = None,
    policy: PolicyOption = None,
) -> None:
    """A whole `cytotag tag` run: what the corpus takes more than a few of its documents is its time without start-up.

    They are few, so that hardly more than the start is left out: of what waits for the last block in the end, nothing.
    The start is what they take beyond the time of as many others. The chunks are those of the documents of `once`.
    """
    files, compared = ModelFiles.from_pretrained(model), Corpus(folder=once)
    in_both = {document_id for document_id, _ in read_documents(compared)}
    with tempfile.TemporaryDirectory(prefix="cytotag-bench-") as folder:
        few = write_corpus(compared.documents, Path(folder, "few"), limit=FEW_DOCUMENTS)
        short = _run_job(few, files, threads, Path(folder, "short"), policy)
        long = _run_job(Corpus(folder=corpus), files, threads, Path(folder, "all"), policy)
        found = [row for row in _chunk_rows(Path(folder, "all")) if row.document_id in in_both]
    seconds = long.seconds - short.seconds
    documents = long.counts.documents - short.counts.documents
    turn = Turn(
        seconds=seconds,
        documents=documents,
        pieces=long.counts.pieces - short.counts.pieces,
        start_seconds=short.seconds - seconds * short.counts.documents / documents,
        chunks=len(found),
        digest=digest_of(found),
    )
    _finish(turn, output, found, chunks)


@app.command()
def light(
    corpus: Folder,
    model: Model,
    threads: Threads,
    output: Output,
    chunks: ChunksFile = None,
    policy: PolicyOption = None,
) -> None:
    """LightPipeline, in one process, all documents in one call."""
    files = ModelFiles.from_pretrained(model)
    documents = list(read_documents(Corpus(folder=corpus)))
    texts = [text for _, text in documents]
    pipeline = LightPipeline(files, threads=threads, ner_converter=_converter(files, policy))
    pipeline.annotate(texts[:FEW_DOCUMENTS])
    start_seconds = seconds_since_start()
    cpu, began = time.process_time(), time.perf_counter()
    annotated = pipeline.annotate(texts)
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu
    peak = peak_rss()
    found = [
        ChunkRow(document_id, chunk["start"], chunk["end"], chunk["entity"])
        for (document_id, _), chunks_of_one in zip(documents, annotated, strict=True)
        for chunk in chunks_of_one
    ]
    turn = Turn(
        seconds=seconds,
        documents=len(documents),
        pieces=sum(len(window) for window in model_windows(Corpus(folder=corpus), files)),
        start_seconds=start_seconds,
        chunks=len(found),
        digest=digest_of(found),
        cpu_seconds=cpu_seconds,
        peak_rss=peak,
    )
    _finish(turn, output, found, chunks)


@app.command()
def bare(corpus: Folder, model: Model, threads: Threads, output: Output) -> None:
    """ONNX Runtime alone, with its own settings, over the same windows: sorted by length, 32 a batch, padded."""
    files = ModelFiles.from_pretrained(model)
    windows = model_windows(Corpus(folder=corpus), files)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(files.graph), options, providers=["CPUExecutionProvider"])
    batches = list(padded_batches(windows, [node.name for node in session.get_inputs()]))
    session.run(None, batches[-1])  # the largest, so that its memory is there
    start_seconds = seconds_since_start()
    cpu, began = time.process_time(), time.perf_counter()
    for batch in batches:
        session.run(None, batch)
    seconds = time.perf_counter() - began
    turn = Turn(
        seconds=seconds,
        documents=Corpus(folder=corpus).size,
        pieces=sum(len(window) for window in windows),
        start_seconds=start_seconds,
        cpu_seconds=time.process_time() - cpu,
        peak_rss=peak_rss(),
    )
    turn.write(output)


def padded_batches(windows: Sequence[Sequence[int]], inputs: Sequence[str]) -> Iterator[dict[str, npt.NDArray[Any]]]:
    """What the graph is given, for the inputs that it has. *Shapes:* (windows, pieces of the longest), int64."""
    by_length = sorted(windows, key=len)
    for at in range(0, len(by_length), BATCH):
        rows = by_length[at : at + BATCH]
        ids = np.zeros((len(rows), len(rows[-1])), dtype=np.int64)
        mask = np.zeros_like(ids)
        for number, window in enumerate(rows):
            ids[number, : len(window)] = window
            mask[number, : len(window)] = 1
        feeds = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        yield {name: feeds[name] for name in inputs}


def _run_job(corpus: Corpus, files: ModelFiles, threads: int, output: Path, policy: Policy | None) -> RunSummary:
    """`cytotag tag` with an actor a thread."""
    job = TagJob(
        inputs=[str(corpus.documents)],
        output=output,
        model=files,
        ner_converter=_converter(files, policy),
        actors=str(threads),
    )
    return run_job(job, lambda _: nullcontext(), lambda _: nullcontext())


def _converter(files: ModelFiles, policy: Policy | None) -> NerConverter:
    return NerConverter(labels=files.labels, policy=policy or files.tag_policy)


def _chunk_rows(dataset: Path) -> Iterator[ChunkRow]:
    for table in chunk_tables(dataset):
        yield from map(ChunkRow, *(table[name].to_pylist() for name in ChunkRow._fields))


def _finish(turn: Turn, output: Path, found: Sequence[ChunkRow], chunks: Path | None) -> None:
    if chunks:
        write_chunks(chunks, found)
    turn.write(output)


if __name__ == "__main__":
    app()
