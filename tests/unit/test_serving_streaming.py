"""JSON lines in, JSON lines out."""

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.serving.refusal import RefusedError
from pipelines.serving.streaming import GROUP_LINES, GROUPS_AHEAD, LINES_WAITING, Line, answer_lines, read_lines

NDJSON = {"content-type": "application/x-ndjson"}


async def pieces_of(pieces):
    for piece in pieces:
        yield piece


def lines_of(pieces, *, longest=1_000, most=1_000_000, idle=10):
    async def work():
        return [line async for line in read_lines(pieces_of(pieces), longest=longest, most=most, idle=idle)]

    return asyncio.run(work())


def cut(content, positions):
    ends = sorted({min(position, len(content)) for position in positions} | {len(content)})
    return [content[start:end] for start, end in zip([0, *ends], ends, strict=False)]


BYTES = st.lists(st.sampled_from([b"a", b"bc", b"\n", b"\r\n", b" ", b"\xff", b"\xc3\xa9"]), max_size=40).map(b"".join)


@given(BYTES, st.lists(st.integers(0, 60)), st.integers(1, 12), st.integers(1, 60))
def test_lines_are_the_same_however_the_bytes_are_cut(content, positions, longest, most):
    whole = lines_of([content], longest=longest, most=most)
    assert lines_of(cut(content, positions), longest=longest, most=most) == whole
    expected = [
        Line(number, line, None)
        if len(line) <= longest
        else Line(number, None, f"longer than {longest} bytes; split the document")
        for number, line in enumerate(content.split(b"\n"), start=1)
        if line.strip() or len(line) > longest
    ]
    if len(content) <= most:
        assert whole == expected
    else:
        number = content[:most].count(b"\n") + 1
        assert whole[:-1] == [line for line in expected if line.number < number]
        assert (whole[-1].number, whole[-1].content) == (number, None)
        assert "larger than" in whole[-1].problem


def test_ends_of_lines():
    assert lines_of([b"a\r\n\n \nb"]) == [Line(1, b"a\r", None), Line(4, b"b", None)]
    assert lines_of([]) == lines_of([b""]) == lines_of([b"\n\n"]) == []


def test_a_line_that_is_too_long_is_not_kept():
    async def endless():
        for _ in range(1_000):
            yield b"x" * 1_000
        yield b"\nb"

    async def work():
        lines = read_lines(endless(), longest=10, most=1 << 30, idle=10)
        return [line async for line in lines]

    first, second = asyncio.run(work())
    assert first == Line(1, None, "longer than 10 bytes; split the document")
    assert second == Line(2, b"b", None)


def test_a_stream_that_falls_silent_is_ended():
    async def silent():
        yield b"a\nb"
        await asyncio.Event().wait()

    async def work():
        return [line async for line in read_lines(silent(), longest=10, most=100, idle=0.05)]

    assert asyncio.run(work()) == [
        Line(1, b"a", None),
        Line(2, None, "nothing came for 0.05 s; the stream was ended here, send the rest again"),
    ]


async def read(queue):
    while (line := await queue.get()) is not None:
        yield line


def line(number):
    return Line(number, b"%d" % number, None)


async def echo(lines):
    return b"".join(b"%d " % one.number for one in lines)


@given(st.integers(0, 200), st.randoms(use_true_random=False))
def test_answers_are_in_order_and_complete(count, random):
    groups = []

    async def answer(lines):
        groups.append(len(lines))
        for _ in range(random.randint(0, 5)):
            await asyncio.sleep(0)
        return await echo(lines)

    async def work():
        async def source():
            for number in range(count):
                yield line(number)

        return b"".join([part async for part in answer_lines(source(), answer)])

    assert [int(number) for number in asyncio.run(work()).split()] == list(range(count))
    assert sum(groups) == count
    assert max(groups, default=0) <= GROUP_LINES


def test_no_line_is_held_back_until_more_come():
    async def work():
        queue = asyncio.Queue()
        answers = answer_lines(read(queue), echo)
        async with asyncio.timeout(10):
            for number in range(5):
                await queue.put(line(number))
                assert await anext(answers) == b"%d " % number
            await queue.put(None)
            assert [part async for part in answers] == []

    asyncio.run(work())


def test_a_reader_that_does_not_read_stops_the_sender():
    """Memory stays flat: what is taken of the stream is bounded while nobody takes answers."""

    async def work():
        taken = 0

        async def endless():
            nonlocal taken
            while True:
                taken += 1
                yield line(taken)

        answers = answer_lines(endless(), echo)
        await anext(answers)
        for _ in range(2_000):
            await asyncio.sleep(0)
        before = taken
        for _ in range(2_000):
            await asyncio.sleep(0)
        await answers.aclose()
        return before, taken

    before, after = asyncio.run(work())
    assert before == after
    assert after <= LINES_WAITING + GROUP_LINES * (GROUPS_AHEAD + 3)


def test_nothing_goes_on_after_the_client_has_left():
    async def work():
        async def never(_):
            await asyncio.Event().wait()

        async def endless():
            for number in range(1_000_000):
                yield line(number)

        answers = answer_lines(endless(), never)
        waiting = asyncio.create_task(anext(answers))
        await asyncio.sleep(0.05)
        assert len(asyncio.all_tasks()) > 2
        waiting.cancel()
        await asyncio.wait([waiting])
        await answers.aclose()
        await asyncio.sleep(0.05)
        return [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]

    assert asyncio.run(work()) == []


def test_what_the_source_raises_comes_after_the_answers_to_what_was_before():
    async def broken():
        yield line(1)
        raise ConnectionError("gone")

    async def work():
        answers = answer_lines(broken(), echo)
        assert await anext(answers) == b"1 "
        with pytest.raises(ConnectionError):
            await anext(answers)

    asyncio.run(work())


def test_what_an_answer_raises_ends_the_stream():
    async def work():
        async def source():
            for number in range(100):
                yield line(number)

        async def fails(_):
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            async for _ in answer_lines(source(), fails):
                pass
        await asyncio.sleep(0.01)
        return [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]

    assert asyncio.run(work()) == []


# over HTTP


def test_a_line_for_each_line_in_order_bad_ones_in_their_place(endpoint):
    client = endpoint(characters=20)
    body = "\n".join(
        [
            '{"document_id": "x", "text": "IL-2 gene"}',
            "",
            "not JSON",
            '{"text": 5}',
            '{"text": "' + "a" * 21 + '"}',
            '{"text": "a", "more": 1}',
            "[]",
            '{"document_id": true, "text": "a"}',
            '{"text": "\\ud800"}',
            "[" * 5_000,
            '{"document_id": 7, "text": "NF-kappa B"}\r',
            '{"document_id": "", "text": ""}',
        ]
    )
    answer = client.post("/v1/tag/stream", body.encode(), NDJSON)
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert [one["line"] for one in answer.lines] == [1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]
    found = {one.pop("line"): one for one in answer.lines}
    assert {number: one["document_id"] for number, one in found.items() if not one["error"]} == {
        1: "x",
        6: "6",  # what else stands in a document is passed over
        11: "7",
        12: "12",
    }
    assert found[1]["chunks"][0]["text"] == "IL-2 gene"
    errors = {number: one["error"] for number, one in found.items() if one["error"]}
    assert errors == {
        3: "not JSON: expected ident at line 1 column 2",
        4: "text: give a string",
        5: "text: longer than 20 characters; shorten or split it",
        7: "give a JSON object",
        8: "document_id: give a string or an integer",
        9: "not JSON: unexpected end of hex escape at line 1 column 17",
        10: "not JSON: recursion limit exceeded at line 1 column 202",
    }


def test_a_stream_tags_as_a_request_does(endpoint):
    client = endpoint()
    texts = ["IL-2 mRNA in Jurkat cells", "", "NF-kappa B binds the promoter. It also binds DNA."] * 30
    whole = client.post("/v1/tag", {"documents": [{"text": text} for text in texts]}).json["documents"]
    body = "\n".join(json.dumps({"text": text}) for text in texts).encode()
    streamed = client.post("/v1/tag/stream", body, NDJSON).lines
    assert streamed == [{"line": number, **document} for number, document in enumerate(whole, start=1)]


def test_the_query_chooses_what_is_kept(endpoint):
    client = endpoint()
    body = b'{"text": "IL-2 mRNA in Jurkat cells"}'
    every = client.post("/v1/tag/stream", body, NDJSON).lines[0]["chunks"]
    assert {chunk["entity"] for chunk in every} == {"RNA", "cell_line"}
    some = client.ask("POST", "/v1/tag/stream", body, NDJSON, query=b"entities=RNA&entities=DNA").lines[0]["chunks"]
    assert [chunk["entity"] for chunk in some] == ["RNA"]
    assert client.ask("POST", "/v1/tag/stream", body, NDJSON, query=b"threshold=1").lines[0]["chunks"] == []


@pytest.mark.parametrize(
    ("query", "loc", "message"),
    [
        (b"treshold=0.5", ["query", "treshold"], "no such field; leave it out"),
        (b"threshold=x", ["query", "threshold"], "give a number"),
        (b"threshold=nan", ["query", "threshold"], "give a finite number"),
        (b"threshold=2", ["query", "threshold"], "Input should be less than or equal to 1"),
        (
            b"entities=gene",
            ["query", "entities"],
            "the model has no entity 'gene'; it has protein, DNA, RNA, cell_line, cell_type",
        ),
    ],
)
def test_a_query_that_cannot_be_is_refused_before_the_stream_begins(endpoint, query, loc, message):
    answer = endpoint().ask("POST", "/v1/tag/stream", b'{"text": "a"}', NDJSON, query=query)
    assert answer.status == 422
    assert [(one["loc"], one["msg"]) for one in answer.json["detail"]] == [(loc, message)]


def test_a_client_that_sends_a_line_and_waits_gets_its_answer(endpoint):
    client = endpoint()

    async def work():
        sent = asyncio.Queue()
        got = []

        async def body():
            for number in range(3):
                yield b'{"text": "IL-2 gene %d"}\n' % number
                got.append(json.loads(await sent.get())["line"])

        async with asyncio.timeout(20):
            answer = await client.exchange("POST", "/v1/tag/stream", body(), NDJSON, sent=sent)
        return answer.status, got

    assert client.run(work()) == (200, [1, 2, 3])


def test_limits_end_a_stream_with_a_line_that_says_so(endpoint):
    client = endpoint(stream_bytes=75, body_bytes=40)
    body = b'{"text": "a"}\n{"text": "' + b"b" * 40 + b'"}\n{"text": "c"}\n'
    first, second, third = client.post("/v1/tag/stream", body, NDJSON).lines
    assert first["error"] is None
    assert (second["line"], second["error"]) == (2, "longer than 40 bytes; split the document")
    assert (third["line"], third["error"]) == (
        3,
        "the stream is larger than 75 bytes; send from this line on in another",
    )


def test_a_stream_that_falls_silent_gets_the_answers_and_a_line_that_says_so(endpoint):
    client = endpoint(timeout=0.3)
    answer = client.run(client.exchange("POST", "/v1/tag/stream", [b'{"text": "a"}\n', None], NDJSON))
    assert [one["error"] for one in answer.lines] == [
        None,
        "nothing came for 0.3 s; the stream was ended here, send the rest again",
    ]


def test_lines_whose_model_is_gone_have_its_error_and_the_stream_goes_on(endpoint):
    async def gone(_):
        raise RefusedError(503, "no model", retry_after=5)

    client = endpoint(classified=gone)
    answer = client.post("/v1/tag/stream", b'{"document_id": "x", "text": "a"}\nfoo\n', NDJSON)
    assert answer.status == 200
    assert [(one["line"], one["document_id"], one["error"]) for one in answer.lines] == [
        (1, "x", "no model"),
        (2, "2", "not JSON: expected ident at line 1 column 2"),
    ]
    metrics = client.ask("GET", "/metrics").body.decode()
    assert 'cytotag_document_errors_total{replica="r1"} 2.0' in metrics
