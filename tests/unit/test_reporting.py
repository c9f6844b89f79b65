"""The numbers of a report, over tables made here."""

from collections import Counter, defaultdict

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.chunk_statistics import SCORE_BINS, TEXTS_SHOWN, ChunkStatistics, one_spaced, whole_documents
from pipelines.error_groups import EXAMPLES, MOST_GROUPS, OTHER, group_errors
from pipelines.outputs.counts import Counts
from pipelines.reporting import with_empty_documents
from pipelines.run_times import MOST_RATES, WrittenPart, pauses, stretches
from pipelines.schema import CHUNK_ROW, ERROR_ROW


def chunk_rows(chunks):
    """CHUNK_ROW of `(source, ordinal, entity, text, score)`."""
    rows = [
        {
            "document_id": f"{source}:{ordinal}",
            "source": source,
            "ordinal": ordinal,
            "sentence_id": 0,
            "chunk_id": number,
            "start": 0,
            "end": len(text),
            "text": text,
            "entity": entity,
            "score": score,
        }
        for number, (source, ordinal, entity, text, score) in enumerate(chunks)
    ]
    return pa.Table.from_pylist(rows, schema=CHUNK_ROW)


def statistics_of(chunks, rows_at_once=3, **options):
    rows, statistics = chunk_rows(chunks), ChunkStatistics(**options)
    for table in whole_documents(rows.slice(i, rows_at_once) for i in range(0, rows.num_rows, rows_at_once)):
        statistics.add(table)
    return statistics


def test_the_numbers_of_an_entity():
    statistics = statistics_of(
        [
            ("a", 0, "DNA", "LTR", 0.5),
            ("a", 0, "DNA", "LTR", 1.0),
            ("a", 0, "RNA", "IL-2\n mRNA", 0.0),
            ("a", 3, "DNA", "ltr", 0.25),
            ("b", 3, "DNA", "LTR", 0.25),
        ]
    )
    dna, rna = statistics.entities()
    assert (dna.entity, dna.count, dna.documents, dna.mean_score, dna.distinct, dna.too_low) == ("DNA", 4, 3, 0.5, 2, 0)
    assert [(one.text, one.count, one.documents) for one in dna.texts] == [("LTR", 3, 2), ("ltr", 1, 1)]
    assert dna.texts[0].mean_score == pytest.approx(1.75 / 3)
    assert {place for place, count in enumerate(dna.scores) if count} == {5, 10, SCORE_BINS - 1}
    assert (rna.texts[0].text, rna.scores[0], rna.documents) == ("IL-2 mRNA", 1, 1)
    assert statistics.chunks_per_document == {1: 2, 3: 1}


def test_nothing_was_found():
    statistics = statistics_of([])
    assert (statistics.entities(), statistics.chunks_per_document) == ((), {})


CHUNKS = st.lists(
    st.tuples(
        st.sampled_from("ab"),
        st.integers(0, 3),
        st.sampled_from(["DNA", "RNA"]),
        st.sampled_from(["x", "X", "x y", "x  y"]),
        st.floats(0, 1, width=32),
    ),
    max_size=30,
).map(lambda chunks: sorted(chunks, key=lambda chunk: chunk[:2]))


@given(chunks=CHUNKS, rows_at_once=st.integers(1, 7))
def test_they_are_those_of_a_plain_count_however_the_rows_come(chunks, rows_at_once):
    statistics = statistics_of(chunks, rows_at_once)
    counts, documents, in_document = Counter(), defaultdict(set), Counter()
    for source, ordinal, entity, text, _ in chunks:
        key = (entity, " ".join(text.split()))
        counts[key] += 1
        documents[key].add((source, ordinal))
        in_document[source, ordinal] += 1
    found = {(of.entity, one.text): (one.count, one.documents) for of in statistics.entities() for one in of.texts}
    assert found == {key: (count, len(documents[key])) for key, count in counts.items()}
    assert statistics.chunks_per_document == Counter(in_document.values())
    for of in statistics.entities():
        scores = [score for _, _, entity, _, score in chunks if entity == of.entity]
        assert (of.count, sum(of.scores)) == (len(scores), len(scores))
        assert of.mean_score == pytest.approx(sum(scores) / len(scores))


@given(texts=st.lists(st.integers(0, 60), min_size=1, max_size=400))
def test_what_was_dropped_makes_a_count_too_low_by_no_more_than_is_said(texts):
    chunks = [("a", ordinal, "DNA", f"t{text}", 0.5) for ordinal, text in enumerate(texts)]
    statistics = statistics_of(chunks, rows_at_once=5, texts_kept=10)
    [dna] = statistics.entities()
    true = Counter(f"t{text}" for text in texts)
    assert dna.count == len(texts)
    for one in dna.texts:
        assert true[one.text] - dna.too_low <= one.count == one.documents <= true[one.text]
    shown = {one.text: one.count for one in dna.texts}
    if len(shown) == TEXTS_SHOWN:
        assert all(count - dna.too_low <= min(shown.values()) for text, count in true.items() if text not in shown)
    if dna.distinct is not None:
        assert (dna.too_low, dna.distinct) == (0, len(true))


def test_what_is_dropped_again_and_again_is_so_much_too_low():
    texts = [text for number in range(300) for text in (f"a{number:04d}", *(["z"] if number % 25 == 24 else []))]
    chunks = [("a", ordinal, "DNA", text, 0.5) for ordinal, text in enumerate(texts)]
    [dna] = statistics_of(chunks, rows_at_once=5, texts_kept=10).entities()
    assert {(one.text[0], one.count) for one in dna.texts} == {("a", 1)}
    assert dna.too_low >= texts.count("z") - 1


def test_a_rare_entity_is_not_pushed_out_by_a_frequent_one():
    many = [("a", number, "protein", f"p{number}", 0.5) for number in range(200)]
    statistics = statistics_of([*many, ("a", 999, "RNA", "mRNA", 0.5)], rows_at_once=10, texts_kept=20)
    by_entity = {one.entity: one for one in statistics.entities()}
    assert by_entity["protein"].distinct is None
    assert by_entity["protein"].too_low > 0
    assert (by_entity["RNA"].distinct, by_entity["RNA"].too_low) == (1, 0)


def test_white_space_in_a_text_is_one_space():
    assert one_spaced(pa.chunked_array([["a\n b", "a b", "a\t\tb"]])).to_pylist() == ["a b"] * 3


def test_documents_with_no_chunk_are_those_that_are_left():
    assert with_empty_documents({2: 3}, Counts(documents=10, errors=4)) == {0: 3, 2: 3}
    assert with_empty_documents({2: 3}, Counts(documents=3)) == {2: 3}
    assert with_empty_documents({}, Counts()) == {}


def part(number, written, documents=10, run="0000000a", end=""):
    return WrittenPart(f"part-{run}-{number:06d}{end}", documents, written)


def test_a_rate_counts_from_the_first_part_on():
    [one], unknown = stretches([part(0, 100.0), part(2, 110.0), part(1, 105.0)], started=80, ended=111)
    assert (one.began, one.ended, one.parts, one.documents, unknown) == (100.0, 110.0, 3, 30, 0)
    assert one.rate == pytest.approx(2)  # 20 documents in 10 s


def test_one_part_has_no_rate():
    [one], _ = stretches([part(0, 100.0)], started=80, ended=111)
    assert (one.rates, one.rate) == ((), None)


def test_a_stop_in_a_run_shows_as_no_documents():
    times = [*range(30), *range(100, 130)]
    [one], _ = stretches([part(number, float(time)) for number, time in enumerate(times)], started=0, ended=130)
    assert 0.0 in one.rates
    assert sum(rate * (one.ended - one.began) / len(one.rates) for rate in one.rates) == pytest.approx(590)
    assert len(one.rates) <= MOST_RATES


def test_a_run_that_went_on_has_two_stretches_and_a_pause():
    parts = [part(0, 1000.0, run="000000bb"), part(1, 1010.0, run="000000bb"), part(0, 100.0), part(1, 110.0)]
    found, unknown = stretches(parts, started=990, ended=1011)
    assert [(one.began, one.ended) for one in found] == [(100.0, 110.0), (1000.0, 1010.0)]
    assert (pauses(found), unknown) == ((890.0,), 0)


@pytest.mark.parametrize(
    ("parts", "ended"),
    [
        ([part(0, 100.0, end="-merged"), part(1, 101.0, end="-merged")], None),
        ([part(0, 500.0), part(1, 500.1)], 110),  # copied, after the run had ended
    ],
)
def test_times_that_say_nothing_are_not_used(parts, ended):
    assert stretches(parts, started=80, ended=ended) == ((), 2)


def test_a_part_that_a_later_run_wrote_again_has_no_time():
    [one], unknown = stretches([part(0, 100.0), part(1, 110.0), part(2, 1005.0)], started=1000, ended=1010)
    assert ((one.began, one.ended, one.parts), unknown) == ((100.0, 110.0, 2), 1)


def error_rows(reasons):
    rows = [
        {"source": "a", "ordinal": ordinal, "document_id": f"d{ordinal}", "error": reason}
        for ordinal, reason in enumerate(reasons)
    ]
    return pa.Table.from_pylist(rows, schema=ERROR_ROW)


def test_errors_that_differ_in_numbers_are_one_reason():
    first = error_rows(["line 1 is not JSON", "no text", "line 1,020 is not JSON"])
    groups = group_errors([first, error_rows(["line 3 is not JSON"] * 5)])
    assert [(one.reason, one.count) for one in groups] == [("line # is not JSON", 7), ("no text", 1)]
    assert [one["error"] for one in groups[0].examples][:2] == ["line 1 is not JSON", "line 1,020 is not JSON"]
    assert len(groups[0].examples) == EXAMPLES


def test_reasons_without_end_are_not_all_held():
    words = [f"{'x' * (number % 50)}{'y' * (number // 50)}" for number in range(MOST_GROUPS + 100)]
    groups = group_errors([error_rows(words)])
    assert (groups[0].reason, groups[0].count, len(groups)) == (OTHER, 100, MOST_GROUPS + 1)
    assert sum(one.count for one in groups) == len(words)
