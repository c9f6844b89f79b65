"""The model and nothing else: our session over the batches that a corpus makes, one at once for each thread.

`python -m benchmarks.model_alone --help`
"""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import typer

from actors.collation import equal_length_batches
from actors.model_files import ModelFiles
from actors.onnx_session import OnnxSession
from actors.token_classifier import TOKEN_BUDGET
from benchmarks.corpus import Corpus, model_windows
from benchmarks.measurement import Turn, peak_rss, seconds_since_start

Ids = npt.NDArray[np.int64]


def batches(windows: Sequence[Sequence[int]], budget: int = TOKEN_BUDGET) -> list[Ids]:
    """The windows as TokenClassifier batches them: of equal length, at most `budget` word pieces or one window.

    Returns:
        *Shapes:* (windows, pieces), shortest first.
    """
    lengths = np.array([len(window) for window in windows], dtype=np.int64)
    return [
        np.array([windows[number] for number in batch], dtype=np.int64)
        for batch in equal_length_batches(lengths, budget)
    ]


def typical_pieces(batches: Sequence[npt.NDArray[Any]]) -> int:
    """The word pieces of the batch that the median word piece is in: the rows of a usual product.

    Raises:
        ValueError: There are no batches.
    """
    if not batches:
        raise ValueError("no batches: the corpus has no word pieces")
    sizes = np.sort([batch.size for batch in batches])
    return int(sizes[np.searchsorted(np.cumsum(sizes), sizes.sum() / 2)])


def run_through(session: OnnxSession, batches: Sequence[Ids], *, at_once: int = 1) -> tuple[float, float]:
    """Runs all of them, so many at once; gives seconds, and CPU seconds of this process."""
    with ThreadPoolExecutor(at_once) as pool:
        cpu, began = time.process_time(), time.perf_counter()
        for _ in pool.map(session.run, batches):
            pass
        return time.perf_counter() - began, time.process_time() - cpu


def main(
    corpus: Annotated[Path, typer.Option(help="Folder with documents.jsonl.", show_default=False)],
    model: Annotated[Path, typer.Option(help="Model folder.", show_default=False)],
    threads: Annotated[int, typer.Option(help="Batches at once, each on a thread.", show_default=False)],
    output: Annotated[Path, typer.Option(help="File for the Turn.", show_default=False)],
) -> None:
    """Measure the model alone."""
    files = ModelFiles.from_pretrained(model)
    windows = model_windows(Corpus(folder=corpus), files)
    of_corpus = batches(windows)
    session = OnnxSession(files.graph, threads=1)
    session.run(max(of_corpus, key=np.size))  # the largest, so that its memory is there
    start_seconds = seconds_since_start()
    seconds, cpu_seconds = run_through(session, of_corpus, at_once=threads)
    Turn(
        seconds=seconds,
        documents=Corpus(folder=corpus).size,
        pieces=sum(map(len, windows)),
        start_seconds=start_seconds,
        cpu_seconds=cpu_seconds,
        peak_rss=peak_rss(),
    ).write(output)


if __name__ == "__main__":
    typer.run(main)
