"""What goes through the model together: whatever waits when it gets free."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Item = TypeVar("Item")
Result = TypeVar("Result")


class Batcher(Generic[Item, Result]):
    """Runs one batch at a time in a thread, so that the event loop stays free.

    A request that finds the model free is run at once, alone; those that come meanwhile are the next batch. So nobody
    waits for a batch to fill, and batches grow with the load. (Ray Serve's own `@serve.batch` cuts its batches by the
    clock, also while the model is busy: docs/design.md.)

    Args:
        run: Gives a result for each item of a batch.
        size: Of an item.
        limit: The largest sum of sizes in a batch; an item that is larger is a batch by itself.
    """

    def __init__(self, run: Callable[[list[Item]], list[Result]], size: Callable[[Item], int], limit: int) -> None:
        self._run, self._size, self._limit = run, size, limit
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._worker: asyncio.Task[None] | None = None

    async def __call__(self, item: Item) -> Result:
        """The result of one item.

        Raises:
            Exception: What `run` raised on its batch.
        """
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())
        return await future

    async def _work(self) -> None:
        try:
            while batch := self._next_batch():
                futures = [future for _, future in batch]
                try:
                    results = await asyncio.to_thread(self._run, [item for item, _ in batch])
                except Exception as error:
                    for future in futures:
                        if not future.done():
                            future.set_exception(error)
                else:
                    for future, result in zip(futures, results, strict=True):
                        if not future.done():
                            future.set_result(result)
        finally:
            self._worker = None

    def _next_batch(self) -> list[tuple[Item, "asyncio.Future[Result]"]]:
        batch: list[tuple[Item, asyncio.Future[Result]]] = []
        size = 0
        while self._waiting:
            item, future = self._waiting[0]
            if not future.done():  # who asked may be gone
                size += self._size(item)
                if batch and size > self._limit:
                    break
                batch.append((item, future))
            self._waiting.popleft()
        return batch


def pieces_of(tokens: pa.Table) -> npt.NDArray[np.int64]:
    """Word pieces of each document (TOKEN). *Shape:* (documents,), int64."""
    windows = tokens["windows"].combine_chunks()
    lengths = pc.list_value_length(windows.flatten()).to_numpy(zero_copy_only=False)
    counts = pc.list_value_length(windows).to_numpy(zero_copy_only=False)
    ends = np.cumsum(counts)
    sums = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    pieces: npt.NDArray[np.int64] = sums[ends] - sums[ends - counts]
    return pieces


def shares(pieces: npt.NDArray[np.int64], limit: int) -> list[tuple[int, int]]:
    """Successive documents, as half-open ranges of rows, that have `limit` pieces together, or are one document."""
    ranges: list[tuple[int, int]] = []
    start, size = 0, 0
    for row, count in enumerate(pieces.tolist()):
        if row > start and size + count > limit:
            ranges.append((start, row))
            start, size = row, 0
        size += count
    return [*ranges, (start, len(pieces))]
