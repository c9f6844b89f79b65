"""The endpoint as a process, under load, while things go wrong: no wrong answer, no lost line, and it comes back."""

import asyncio
import itertools
import json
import platform
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.endpoint import FRONT, MODEL, PROXY, serving, tag, text_body
from benchmarks.memory import private_bytes
from benchmarks.serve_load import light_chunks
from benchmarks.serve_soak import soak
from pipelines.light import LightPipeline
from tests.integration.tiny_model import NEVER, WORDS, save_model

pytestmark = pytest.mark.slow

DEMO = Path(__file__).parents[2] / "docs" / "demo" / "abstracts.jsonl"
WAITING_PIECES = 6000
CLIENTS = 8
BACK_SECONDS = 60
"""After a kill, on a machine that may be busy; what it took is printed."""

STREAM_TIMEOUT = 2
on_x86 = pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="its trap is that of x86")


class Texts:
    """Some two dozen texts of about 200 word pieces, and their chunks by LightPipeline."""

    def __init__(self):
        abstracts = [json.loads(line)["text"] for line in DEMO.read_text(encoding="utf-8").splitlines()]
        self.all = [" ".join(three) for three in itertools.permutations(abstracts, 3)]
        self.chunks = light_chunks(LightPipeline.from_pretrained(), self.all)
        assert all(self.chunks)
        self.of = dict(zip(self.all, self.chunks, strict=True))

    def __iter__(self):
        return itertools.cycle(self.all)


@pytest.fixture(scope="module")
def texts():
    return Texts()


@pytest.fixture(scope="module")
def endpoint():
    """The embedded model; little may wait for it."""
    with serving("--replicas", "1", "--waiting-pieces", str(WAITING_PIECES)) as running:
        yield running


@pytest.fixture(scope="module")
def tiny_endpoint(tmp_path_factory):
    """A model of a few kilobytes that one word kills, and requests that may take two seconds."""
    model = save_model(tmp_path_factory.mktemp("serve") / "model", deadly=WORDS.index("deadly"))
    with serving("--replicas", "1", "--model", str(model), "--timeout", str(STREAM_TIMEOUT)) as running:
        yield running


@pytest.fixture
def say(capsys):
    def say(line):
        with capsys.disabled():
            print(f"\n{line}")

    return say


def check(answer, text, texts, *, refusals=(429, 503), silent=()):
    """The right chunks, or a refusal that says when to come back; those in `silent` are Serve's, and say nothing."""
    if answer.status == 200:
        assert answer.chunks == [texts.of[text]]
    elif answer.status not in silent:
        assert answer.status in refusals, answer
        assert int(answer.retry_after) >= 1
        assert json.loads(answer.body)["detail"]


async def eventually(condition, *, seconds=30):
    """Waits until a condition holds, or fails."""
    end = time.monotonic() + seconds
    while not await asyncio.to_thread(condition):
        assert time.monotonic() < end
        await asyncio.sleep(0.1)


def is_busy(processes):
    """Whether the processes run: by their CPU time."""
    before = sum(sum(process.cpu_times()[:2]) for process in processes)
    time.sleep(0.2)
    return sum(sum(process.cpu_times()[:2]) for process in processes) - before > 0.05


async def insist(session, text, texts):
    """Sends a text until it is tagged, as a client that heeds Retry-After; gives how often it was refused."""
    refused = 0
    while (answer := await tag(session, text_body(text))).status != 200:
        check(answer, text, texts)
        refused += 1
        await asyncio.sleep(int(answer.retry_after))
    check(answer, text, texts)
    return refused


def test_five_times_what_it_can_hold_is_refused_in_words_and_who_comes_back_is_answered(endpoint, texts, say):
    at_once = list(itertools.islice(texts, 5 * WAITING_PIECES // 200))

    async def crowd():
        async with endpoint.session() as session:
            answers = await asyncio.gather(*(tag(session, text_body(text)) for text in at_once))
            afterwards = await tag(session, text_body(texts.all[0]))
            await eventually(lambda: endpoint.waiting_pieces() == 0)
            async with asyncio.timeout(300):
                refused = await asyncio.gather(*(insist(session, text, texts) for text in at_once))
        return answers, afterwards, refused

    answers, afterwards, refused = asyncio.run(crowd())
    for text, answer in zip(at_once, answers, strict=True):
        check(answer, text, texts, refusals=(429,))
    statuses = Counter(answer.status for answer in answers)
    say(f"{len(at_once)} at once: {dict(statuses)}; those that came back were refused {max(refused)} times at most")
    assert statuses.keys() == {200, 429}
    check(afterwards, texts.all[0], texts, refusals=())
    assert endpoint.waiting_pieces() == 0


def kill_under_load(endpoint, texts, victim, **allowed):
    """Kills a process, or nothing, while eight clients send, and goes on for as long as it takes to be back.

    Returns:
        Seconds until an answer to what was sent after the kill; the text and answer of each request.
    """
    answers, back = [], None

    async def client(session, choice, killed):
        nonlocal back
        while back is None or time.perf_counter() < back + 2:
            text = next(choice)
            answer = await tag(session, text_body(text))
            answers.append((text, answer))
            if killed.done() and answer.status == 200 and answer.began > killed.result() and back is None:
                back = answer.ended
            if answer.status != 200:
                await asyncio.sleep(0.1)

    async def load():
        choice, killed = iter(texts), asyncio.get_running_loop().create_future()
        async with endpoint.session() as session, asyncio.timeout(BACK_SECONDS + 30), asyncio.TaskGroup() as group:
            for _ in range(CLIENTS):
                group.create_task(client(session, choice, killed))
            await asyncio.sleep(2)
            if victim is not None:
                victim.kill()
            killed.set_result(time.perf_counter())
        return back - killed.result()

    seconds = asyncio.run(load())
    for text, answer in answers:
        check(answer, text, texts, **allowed)
    return seconds, answers


def test_nothing_is_killed_and_nothing_refused(endpoint, texts):
    _, answers = kill_under_load(endpoint, texts, None, refusals=())
    assert len(answers) > CLIENTS


def test_the_models_process_is_killed_under_load(endpoint, texts, say):
    (victim,) = endpoint.processes(MODEL)
    seconds, answers = kill_under_load(endpoint, texts, victim)
    statuses = Counter(answer.status for _, answer in answers)
    say(f"model killed, 1 replica: {dict(statuses)}, back after {seconds:.1f} s")
    assert statuses[503]
    assert seconds < BACK_SECONDS
    assert endpoint.processes(MODEL) != [victim]


def test_a_stream_loses_no_line_when_the_models_process_is_killed(endpoint, texts, say):
    sent = list(itertools.islice(texts, 300))

    async def lines():
        for number, text in enumerate(sent):
            if number in (100, 200):
                await eventually(lambda: is_busy(endpoint.processes(MODEL)), seconds=BACK_SECONDS)
                for victim in endpoint.processes(MODEL):
                    victim.kill()
            yield json.dumps({"document_id": str(number), "text": text}).encode() + b"\n"

    async def stream():
        async with endpoint.session() as session, session.post("/v1/tag/stream", data=lines()) as answer:
            assert answer.status == 200
            return [json.loads(line) for line in (await answer.read()).splitlines()]

    came = asyncio.run(stream())
    assert [line["line"] for line in came] == list(range(1, len(sent) + 1))
    assert [line["document_id"] for line in came] == [str(number) for number in range(len(sent))]
    failed = [line["error"] for line in came if line["error"] is not None]
    say(f"stream: {len(came)} lines, {len(failed)} to send again")
    assert failed
    assert all("send" in error and "again" in error for error in failed)
    for text, line in zip(sent, came, strict=True):
        assert line["chunks"] == ([] if line["error"] else texts.of[text])


def test_the_process_that_takes_requests_is_killed_under_load(endpoint, texts, say):
    (victim,) = endpoint.processes(FRONT)
    seconds, answers = kill_under_load(endpoint, texts, victim, silent=(0, 500))
    statuses = Counter(answer.status for _, answer in answers)
    say(f"endpoint killed: {dict(statuses)}, back after {seconds:.1f} s")
    assert endpoint.waiting_pieces() == 0


def test_who_leaves_frees_the_room_and_what_had_not_begun_is_dropped(texts):
    """By the CPU time of the model's process, which does not depend on what else the machine does.

    A document takes the model many times as long as its process takes for all else in that time.
    """
    document = " ".join(texts.all)
    with serving("--replicas", "1", "--waiting-pieces", str(10 * WAITING_PIECES)) as endpoint:
        one, crowd = _cpu_of_one_and_of_eight_who_leave(endpoint, document)
    assert crowd < 5 * one


def _cpu_of_one_and_of_eight_who_leave(endpoint, document):
    (model,) = endpoint.processes(MODEL)

    def cpu():
        return sum(model.cpu_times()[:2])

    async def crowd(number):
        async with endpoint.session() as session:
            requests = [asyncio.create_task(tag(session, text_body(f"{document} {n}"))) for n in range(number)]
            await eventually(lambda: endpoint.waiting_pieces() > 0)
            for request in requests:
                request.cancel()
            await asyncio.gather(*requests, return_exceptions=True)
            await eventually(lambda: endpoint.waiting_pieces() == 0)
            await tag(session, text_body("a"))  # comes after whatever is still with the model

    async def alone():
        async with endpoint.session() as session:
            assert (await tag(session, text_body(document))).status == 200

    began = cpu()
    for _ in range(4):
        asyncio.run(alone())
    one = (cpu() - began) / 4
    began = cpu()
    asyncio.run(crowd(8))
    return one, cpu() - began


def test_sent_faster_than_it_is_tagged_a_stream_costs_about_its_size(endpoint, texts, say):
    """Ray Serve's proxy and its replica take bodies as fast as they come: what is not tagged yet is in memory."""
    size = 32 << 20
    line = text_body(texts.all[0]) + b"\n"
    watched = {title: endpoint.processes(title)[0] for title in (PROXY, FRONT, MODEL)}
    before = {title: private_bytes(process) for title, process in watched.items()}
    peaks = dict(before)

    async def lines():
        for _ in range(size // (64 * len(line))):
            yield line * 64

    async def watch():
        while True:
            for title, process in watched.items():
                peaks[title] = max(peaks[title], private_bytes(process))
            await asyncio.sleep(0.05)

    async def send():
        watching = asyncio.create_task(watch())
        async with endpoint.session() as session:
            try:
                async with asyncio.timeout(20), session.post("/v1/tag/stream", data=lines()) as answer:
                    await answer.read()
            except TimeoutError:
                pass
        watching.cancel()
        await eventually(lambda: endpoint.waiting_pieces() == 0)

    asyncio.run(send())
    grown = {title: peaks[title] - before[title] for title in watched}
    say(f"a stream of {size >> 20} MiB: MiB more at the peak { ({title: n >> 20 for title, n in grown.items()}) }")
    assert grown[MODEL] < size
    assert sum(grown.values()) < 5 * size
    assert asyncio.run(answer_of(endpoint, texts.all[0])).chunks == [texts.chunks[0]]


async def answer_of(endpoint, text, **headers):
    async with endpoint.session() as session:
        return await tag(session, text_body(text), **headers)


def test_two_models_one_of_them_killed(texts, say):
    with serving("--replicas", "2", "--threads", "1") as endpoint:
        victim, other = endpoint.processes(MODEL)
        seconds, answers = kill_under_load(endpoint, texts, victim)
        statuses = Counter(answer.status for _, answer in answers)
        say(f"model killed, 2 replicas: {dict(statuses)}, next answer after {seconds:.1f} s")
        assert other.is_running()
        asyncio.run(eventually(lambda: len(endpoint.processes(MODEL)) == 2, seconds=BACK_SECONDS))


@on_x86
def test_a_document_that_kills_the_model_costs_its_own_request_only(tiny_endpoint, say):
    async def ask(text):
        async with tiny_endpoint.session() as session:
            return await tag(session, text_body(text))

    async def until_tagged(text):
        async with asyncio.timeout(BACK_SECONDS):
            while (answer := await ask(text)).status != 200:
                assert answer.status in (503, 504), answer
                await asyncio.sleep(0.5)
        return answer

    async def scenario():
        began = time.monotonic()
        for _ in range(2):
            deadly = await ask("the deadly gene")
            assert deadly.status == 503, deadly
            assert int(deadly.retry_after) >= 1
            assert (await until_tagged("il 2 binds the gene")).chunks == right
        say(f"killed twice by a document, back each time: {time.monotonic() - began:.1f} s")

    right = asyncio.run(until_tagged("il 2 binds the gene")).chunks
    asyncio.run(scenario())


def test_the_timeout_holds_whatever_the_client_says(tiny_endpoint):
    """Ray's proxy heeds headers that switch its own off."""
    (model,) = tiny_endpoint.processes(MODEL)
    headers = {"x-request-timeout-seconds": "0", "x-request-disconnect-disabled": "?1"}

    async def scenario():
        async with tiny_endpoint.session() as session:
            stays = asyncio.create_task(tag(session, text_body("the gene"), **headers))
            leaves = asyncio.create_task(tag(session, text_body("it binds"), **headers))
            await eventually(lambda: tiny_endpoint.waiting_pieces() > 5)
            leaves.cancel()
            answer = await stays
            await eventually(lambda: tiny_endpoint.waiting_pieces() == 0)
        return answer

    model.suspend()
    try:
        answer = asyncio.run(scenario())
    finally:
        model.resume()
    assert answer.status == 504
    assert f"{STREAM_TIMEOUT} s" in json.loads(answer.body)["detail"]
    assert STREAM_TIMEOUT <= answer.ended - answer.began < STREAM_TIMEOUT + 10


def test_what_was_accepted_is_answered_before_it_stops(texts, say):
    with serving() as endpoint:
        answers = []

        async def client(session, choice):
            while endpoint.process.poll() is None:
                text = next(choice)
                answers.append((text, await tag(session, text_body(text))))
                if answers[-1][1].status != 200:
                    await asyncio.sleep(0.05)

        async def load():
            choice = iter(texts)
            async with endpoint.session() as session, asyncio.timeout(BACK_SECONDS), asyncio.TaskGroup() as group:
                for _ in range(CLIENTS):
                    group.create_task(client(session, choice))
                await asyncio.sleep(2)
                endpoint.process.send_signal(signal.SIGTERM)

        asyncio.run(load())
        assert endpoint.process.wait() == 0
    say(f"stopped under load: {dict(Counter(answer.status for _, answer in answers))}")
    gone = min(
        answer.began for _, answer in answers if answer.status in (0, 404)
    )  # Serve knows no application any more
    for text, answer in answers:
        check(answer, text, texts, refusals=(503,), silent=(404, 0) if answer.began >= gone else ())
    assert sum(answer.status == 200 for _, answer in answers) > CLIENTS


def test_what_was_accepted_and_has_yet_to_reach_the_model_is_answered_too(texts):
    """Serve deletes the models and what asks them at once."""
    with serving() as endpoint:
        chosen = texts.all[:CLIENTS]

        async def scenario():
            closed = asyncio.Event()

            async def in_halves(body):
                yield body[: len(body) // 2]
                await closed.wait()
                yield body[len(body) // 2 :]

            async with endpoint.session() as session:
                requests = [asyncio.create_task(tag(session, in_halves(text_body(text)))) for text in chosen]
                await eventually(lambda: endpoint.open_requests() == CLIENTS)
                endpoint.process.send_signal(signal.SIGTERM)
                await eventually(lambda: endpoint.ask("/v1/model")[0] == 503)
                closed.set()
                return await asyncio.gather(*requests)

        answers = asyncio.run(scenario())
        assert endpoint.process.wait(BACK_SECONDS) == 0
    for text, answer in zip(chosen, answers, strict=True):
        check(answer, text, texts, refusals=())


def test_memory_is_flat(tmp_path, say):
    model = save_model(tmp_path / "model", deadly=NEVER)
    texts = [" ".join(words) for words in itertools.permutations(WORDS[4:], 3)]
    samples, answers = soak(texts, 2, "--model", str(model))
    end = samples.seconds[-1]
    second, last = samples.peak_between(end / 3, end * 2 / 3), samples.peak_between(end * 2 / 3, end)
    say(f"{second >> 20} MiB in the second third, {last >> 20} in the last; {dict(answers)}")
    assert last <= 1.1 * second
    assert {answer for answer in answers if answer.split()[1].startswith("5")} == set()
