"""What goes through the model together."""

import asyncio
import itertools
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.corpora.records import Record, records_to_table
from pipelines.schema import TOKEN
from pipelines.serving.batching import Batcher, pieces_of, shares
from pipelines.stages.document_assembler import DocumentAssembler
from pipelines.stages.sentence_detector import SentenceDetector
from pipelines.stages.tokenizer import Tokenizer


class Model:
    """Doubles numbers, a batch at a time, and notes the batches; it waits where it is told to."""

    def __init__(self, *, waits=False):
        self.batches, self.go, self.at_once = [], threading.Semaphore(0), 0
        self._waits, self._lock = waits, threading.Lock()

    def __call__(self, batch):
        assert self._lock.acquire(blocking=False), "two batches at once"
        try:
            self.batches.append(batch)
            if self._waits:
                assert self.go.acquire(timeout=10)
            return [item * 2 for item in batch]
        finally:
            self._lock.release()


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


def test_what_comes_while_the_model_is_busy_is_the_next_batch():
    async def work():
        model = Model(waits=True)
        batcher = Batcher(model, lambda _: 1, 3)
        first = asyncio.create_task(batcher(1))
        await until(lambda: model.batches)
        others = [asyncio.create_task(batcher(item)) for item in range(2, 7)]
        await asyncio.sleep(0.01)
        assert model.batches == [[1]]  # at once, alone: nobody waits for a batch to fill
        for _ in range(3):
            model.go.release()
        assert await asyncio.gather(first, *others) == [2, 4, 6, 8, 10, 12]
        assert model.batches == [[1], [2, 3, 4], [5, 6]]

    asyncio.run(work())


@given(st.lists(st.integers(0, 20), max_size=30), st.integers(1, 30))
def test_everyone_gets_the_own_result_whatever_the_sizes(sizes, limit):
    async def work():
        model = Model()
        batcher = Batcher(model, lambda item: sizes[item], limit)
        assert await asyncio.gather(*map(batcher, range(len(sizes)))) == [item * 2 for item in range(len(sizes))]
        assert [item for batch in model.batches for item in batch] == list(range(len(sizes)))
        for batch in model.batches:
            assert len(batch) == 1 or sum(sizes[item] for item in batch) <= limit

    asyncio.run(work())


def test_whoever_left_is_not_computed():
    async def work():
        model = Model(waits=True)
        batcher = Batcher(model, lambda _: 1, 10)
        tasks = [asyncio.create_task(batcher(1))]
        await until(lambda: model.batches)
        tasks += [asyncio.create_task(batcher(item)) for item in (2, 3, 4)]
        await asyncio.sleep(0.01)
        for number in (0, 2):  # one that is in the model, one that waits
            tasks[number].cancel()
        for _ in range(2):
            model.go.release()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(result) for result in results] == [asyncio.CancelledError, int, asyncio.CancelledError, int]
        assert (results[1], results[3]) == (4, 8)
        assert model.batches == [[1], [2, 4]]

    asyncio.run(work())


def test_an_error_reaches_all_of_its_batch_and_nobody_else():
    async def work():
        model = Model(waits=True)

        def run(batch):
            results = model(batch)
            if 3 in batch:
                raise ValueError("three")
            return results

        batcher = Batcher(run, lambda _: 1, 2)
        tasks = [asyncio.create_task(batcher(1))]
        await until(lambda: model.batches)
        tasks += [asyncio.create_task(batcher(item)) for item in (2, 3, 4, 5)]
        await asyncio.sleep(0.01)
        for _ in range(3):
            model.go.release()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [str(result) for result in results] == ["2", "three", "three", "8", "10"]
        model.go.release()
        assert await batcher(6) == 12  # it still works

    asyncio.run(work())


def test_it_starts_again_after_it_was_idle():
    async def work():
        batcher = Batcher(Model(), lambda _: 1, 10)
        assert [await batcher(item) for item in (1, 2, 3)] == [2, 4, 6]

    asyncio.run(work())


@given(st.lists(st.integers(0, 50), min_size=1, max_size=40), st.integers(1, 60))
def test_shares_are_all_documents_once_in_order_and_as_few_as_may_be(pieces, limit):
    ranges = shares(np.array(pieces, dtype=np.int64), limit)
    assert ranges[0][0] == 0
    assert ranges[-1][1] == len(pieces)
    assert [end for _, end in ranges[:-1]] == [start for start, _ in ranges[1:]]
    for start, end in ranges:
        assert end - start == 1 or sum(pieces[start:end]) <= limit
    for (start, _), (_, end) in itertools.pairwise(ranges):
        assert sum(pieces[start:end]) > limit


@given(texts=st.lists(st.text(alphabet="ab -.\n", max_size=60), max_size=6))
def test_the_pieces_of_a_document_are_those_of_its_windows(embedded_model, texts):
    table = records_to_table(
        [Record.of(None, text) for text in texts], source="t", source_version="", first_ordinal=0, last=True
    )
    tokenizer = Tokenizer(folder=embedded_model.folder, max_length=16)
    tokens = tokenizer.transform(SentenceDetector().transform(DocumentAssembler().transform(table)))
    windows = tokens["windows"].to_pylist()
    assert pieces_of(tokens).tolist() == [sum(len(window) for window in document) for document in windows]


def test_no_documents_have_no_pieces():
    assert pieces_of(TOKEN.empty_table()).tolist() == []


@pytest.mark.parametrize("start", [0, 1])
def test_a_slice_of_a_table_has_its_own_pieces(embedded_model, start):
    table = records_to_table(
        [Record.of(None, text) for text in ("gene", "a gene of it", "")],
        source="t",
        source_version="",
        first_ordinal=0,
        last=True,
    )
    stages = (
        DocumentAssembler().transform,
        SentenceDetector().transform,
        Tokenizer(folder=embedded_model.folder, max_length=16).transform,
    )
    for stage in stages:
        table = stage(table)
    assert pieces_of(table.slice(start)).tolist() == pieces_of(table).tolist()[start:]
