"""What may wait for the model."""

import asyncio

import pytest

from pipelines.serving.admission import LONGEST_RETRY, Admission
from pipelines.serving.refusal import RefusedError


async def refused(admission, pieces):
    with pytest.raises(RefusedError) as caught:
        async with admission.room(pieces, wait=False):
            pass
    return caught.value


def test_there_is_room_up_to_the_limit_and_not_beyond():
    async def work():
        admission = Admission(10)
        async with admission.room(4, wait=False), admission.room(6, wait=False):
            assert admission.held == 10
            error = await refused(admission, 1)
            assert (error.status, error.retry_after) == (429, 1)
            assert error.detail == "busy: 10 word pieces wait for the model, 10 may; try again later"
        assert admission.held == 0
        async with admission.room(10, wait=False):
            pass

    asyncio.run(work())


def test_one_request_larger_than_the_limit_is_let_in_alone():
    async def work():
        admission = Admission(10)
        async with admission.room(1_000, wait=False):
            await refused(admission, 1)
        async with admission.room(1, wait=False):
            await refused(admission, 1_000)

    asyncio.run(work())


def test_who_waits_gets_in_when_there_is_room():
    async def work():
        admission, order = Admission(10), []

        async def enter(name, pieces):
            async with admission.room(pieces, wait=True):
                order.append(name)
                await asyncio.sleep(0.01)

        async with admission.room(8, wait=False):
            waiting = [asyncio.create_task(enter(name, 9)) for name in "ab"]
            await asyncio.sleep(0.02)
            assert order == []
        await asyncio.gather(*waiting)
        assert order == ["a", "b"]
        assert admission.held == 0

    asyncio.run(work())


def test_room_is_given_back_when_the_work_fails_or_is_called_off():
    async def work():
        admission = Admission(10)
        with pytest.raises(ZeroDivisionError):
            async with admission.room(10, wait=False):
                raise ZeroDivisionError
        assert admission.held == 0

        async def hold(started):
            async with admission.room(10, wait=True):
                started.set()
                await asyncio.Event().wait()

        started = asyncio.Event()
        holder = asyncio.create_task(hold(started))
        await started.wait()
        waiter = asyncio.create_task(hold(asyncio.Event()))
        await asyncio.sleep(0)
        for task in (waiter, holder):  # one that waits, and one that is in
            task.cancel()
            await asyncio.wait([task])
        assert admission.held == 0

    asyncio.run(work())


def test_retry_after_is_what_is_there_at_the_rate_so_far(monkeypatch):
    now = 0.0
    monkeypatch.setattr("pipelines.serving.admission.time.monotonic", lambda: now)

    async def work():
        nonlocal now
        admission = Admission(100)
        async with admission.room(50, wait=False):
            now += 5  # 10 pieces a second
        now += 1_000  # idle time is no part of the rate
        async with admission.room(100, wait=False):
            assert (await refused(admission, 1)).retry_after == 10
        async with admission.room(5_000, wait=False):
            assert (await refused(admission, 1)).retry_after == LONGEST_RETRY

    asyncio.run(work())
