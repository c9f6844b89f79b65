import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.measurement import (
    ChunkRow,
    Ratio,
    RowResult,
    Turn,
    digest_of,
    in_turns,
    peak_rss,
    rate_row,
    read_chunks,
    seconds_since_start,
    write_chunks,
)

SIDE = "tests.unit.bench_side"


def turn(seconds, *, documents=10, digest=None):
    return Turn(seconds=seconds, documents=documents, pieces=100, start_seconds=1.0, digest=digest)


def row(ratio, **fields):
    return RowResult(name="r", ours=1.0, theirs=1.0, unit="u", ratio=ratio, lowest=ratio, highest=ratio, **fields)


def test_a_turn_comes_back_from_its_file(tmp_path):
    written = Turn(
        seconds=1.5, documents=3, pieces=70, start_seconds=0.2, chunks=4, digest="ab", cpu_seconds=2.5, peak_rss=10
    )
    written.write(tmp_path / "turn.json")
    assert Turn.read(tmp_path / "turn.json") == written


def test_the_rate_is_of_documents_a_second_and_unknown_where_noise_swallowed_the_time():
    assert turn(4.0).rate == 2.5
    assert math.isnan(turn(0.0).rate)
    assert math.isnan(turn(-0.3).rate)


def test_a_ratio_compares_turn_with_turn():
    ratio = Ratio.of([turn(1.0), turn(4.0), turn(2.0)], [turn(2.0), turn(12.0), turn(20.0)])
    assert ratio == Ratio(median=3.0, lowest=2.0, highest=10.0)


def test_a_ratio_needs_as_many_turns_of_each():
    with pytest.raises(ValueError, match="zip"):
        Ratio.of([turn(1.0)], [turn(1.0), turn(1.0)])


def test_a_turn_of_unknown_rate_does_not_count():
    assert Ratio.of([turn(0.0), turn(1.0)], [turn(1.0), turn(2.0)]).median == 2.0
    assert math.isnan(Ratio.of([turn(0.0)], [turn(1.0)]).median)


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=7))
def test_the_median_is_within_lowest_and_highest(ratios):
    ratio = Ratio.over(ratios)
    assert (ratio.lowest, ratio.highest) == (min(ratios), max(ratios))
    assert ratio.lowest <= ratio.median <= ratio.highest


def test_sides_take_turns(tmp_path):
    order, said = str(tmp_path / "order"), []
    taken = in_turns({"a": [SIDE, order, "2"], "b": [SIDE, order, "5"]}, 2, tmp_path, said.append)
    assert (tmp_path / "order").read_text().split() == ["2", "5", "2", "5"]
    assert {name: [one.rate for one in turns] for name, turns in taken.items()} == {"a": [5.0, 5.0], "b": [2.0, 2.0]}
    assert said[0] == "turn 1 of 2, a: 5.00 documents/s"
    assert len(said) == 4


def test_a_side_that_fails_is_named_with_what_it_said(tmp_path):
    with pytest.raises(RuntimeError, match=r"(?s)^b ended with 1: tests.unit.bench_side.*no such weights$"):
        in_turns({"b": [SIDE, str(tmp_path / "order"), "broken"]}, 1, tmp_path, lambda _: None)


def test_a_goal_is_a_bound_from_below_or_from_above():
    assert row(0.95, goal=0.9).met is True
    assert row(0.85, goal=0.9).met is False
    assert row(1.05, goal=1.1, goal_is_most=True).met is True
    assert row(1.15, goal=1.1, goal_is_most=True).met is False
    assert row(0.9).met is None
    assert row(math.nan, goal=0.9).met is None


def test_how_far_a_ratio_comes():
    assert row(4.0, goal=8.0).attained(4.0) == 0.5
    assert row(0.3, goal=0.15, goal_is_most=True).attained(0.3) == 0.5
    assert row(0.0, goal=0.15, goal_is_most=True).attained(0.0) == math.inf
    assert math.isnan(row(4.0).attained(4.0))


def test_a_row_says_whether_the_chunks_are_equal():
    same = rate_row("r", [turn(1.0, digest="x")], [turn(2.0, digest="x")], goal=None)
    other = rate_row("r", [turn(1.0, digest="x")], [turn(2.0, digest="y")], goal=None)
    none = rate_row("r", [turn(1.0, digest="x")], [turn(2.0)], goal=None)
    assert (same.equal_chunks, other.equal_chunks, none.equal_chunks) == (True, False, None)
    assert (same.ours, same.theirs, same.ratio) == (10.0, 5.0, 2.0)


CHUNKS = st.lists(
    st.builds(ChunkRow, st.text(max_size=5), st.integers(0, 99), st.integers(0, 99), st.sampled_from(["DNA", "RNA"]))
)


@given(CHUNKS, st.randoms())
def test_the_digest_is_of_the_chunks_whatever_their_order(chunks, shuffling: random.Random):
    shuffled = list(chunks)
    shuffling.shuffle(shuffled)
    assert digest_of(shuffled) == digest_of(chunks)
    assert digest_of([*chunks, ChunkRow("d", 0, 1, "protein")]) != digest_of(chunks)


@given(CHUNKS)
def test_chunks_come_back_from_their_file(tmp_path_factory, chunks):
    path = tmp_path_factory.mktemp("chunks") / "chunks.jsonl"
    write_chunks(path, chunks)
    assert list(read_chunks(path)) == chunks


def test_a_process_knows_its_age_and_its_memory():
    assert 0 < seconds_since_start() < 1e6
    assert 1e6 < peak_rss() < 1e12
