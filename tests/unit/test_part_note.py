import itertools
import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.outputs.counts import Counts
from pipelines.outputs.coverage import Coverage, to_ranges
from pipelines.outputs.output_error import OutputError
from pipelines.outputs.part_note import PartNote, merge_coverage, part_name
from pipelines.schema import BROKEN_FILE, CHUNK

NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
COUNTS = st.builds(
    Counts,
    **{name: st.integers(0, 10**12) for name in ("documents", "sentences", "tokens", "errors", "broken_files")},
    chunks=st.dictionaries(NAMES, st.integers(0, 10**9), max_size=3),
)
ORDINALS = st.sets(st.integers(0, 60))


def document(source="a.jsonl", ordinal=0, *, last=False, entities=(), sentences=1, error=None, metadata=()):
    chunk = {"sentence_id": 0, "start": 0, "end": 1, "text": "x", "score": 0.5}
    return {
        "document_id": f"{source}:{ordinal}",
        "source": source,
        "source_version": f"version of {source}",
        "ordinal": ordinal,
        "last": last,
        "text": None if error else "x",
        "metadata": list(metadata),
        "error": error,
        "sentences": [{"start": 0, "end": 1}] * sentences,
        "token_count": 2 * sentences,
        "chunks": [{**chunk, "chunk_id": i, "entity": entity} for i, entity in enumerate(entities)],
    }


def note_of(*documents):
    return PartNote.of(pa.Table.from_pylist(list(documents), schema=CHUNK))


def covering(ordinals, *, source="a.jsonl", version="1-2", end=None):
    coverage = Coverage(version=version, ranges=to_ranges(ordinals), end=end)
    return PartNote(coverage={source: coverage}, counts=Counts(documents=len(ordinals)))


def members(ranges):
    return [ordinal for start, stop in ranges for ordinal in range(start, stop)]


@pytest.mark.parametrize(
    ("ordinals", "ranges"),
    [
        ([], ()),
        ([0], ((0, 1),)),
        ([2, 0, 1], ((0, 3),)),
        ([0, 2], ((0, 1), (2, 3))),
        ([9, 5, 6, 0], ((0, 1), (5, 7), (9, 10))),
    ],
)
def test_ranges_of_ordinals(ordinals, ranges):
    assert to_ranges(ordinals) == ranges


@given(ORDINALS)
def test_ranges_hold_exactly_the_ordinals_and_never_touch(ordinals):
    ranges = to_ranges(ordinals)
    assert members(ranges) == sorted(ordinals)
    assert all(stop < start for (_, stop), (start, _) in itertools.pairwise(ranges))


@given(st.lists(st.integers(0, 4), max_size=60))
def test_merged_coverage_is_the_union_of_the_parts(part_of):
    """`part_of[i]` is the part that record i went to; part 0 was never written."""
    parts = [{i for i, part in enumerate(part_of) if part == number} for number in range(1, 5)]
    end = len(part_of)
    notes = [covering(part, end=end if end - 1 in part else None) for part in parts if part]
    merged = merge_coverage(notes).get("a.jsonl", Coverage(version="1-2", ranges=()))
    assert merged.ranges == to_ranges(set().union(*parts))
    assert merged.documents == sum(map(len, parts))
    assert merged.complete == (bool(part_of) and 0 not in part_of)


@given(ORDINALS, ORDINALS, st.randoms())
def test_parts_that_share_a_record_are_refused(one, other, random):
    notes = [covering(one), covering(other)]
    random.shuffle(notes)
    if shared := one & other:
        with pytest.raises(OutputError, match=rf"^a.jsonl: two parts hold record {min(shared) + 1}; .*--overwrite$"):
            merge_coverage(notes)
    else:
        assert merge_coverage(notes)["a.jsonl"].ranges == to_ranges(one | other)


def test_parts_of_two_versions_of_a_file_are_refused():
    with pytest.raises(OutputError, match=r"^a.jsonl: .* different versions"):
        merge_coverage([covering({0}), covering({1}, version="1-3")])


def test_the_same_ordinals_of_two_files_are_two_records():
    merged = merge_coverage([covering({0}, end=1), covering({0}, source="b.jsonl")])
    assert {source: one.complete for source, one in merged.items()} == {"a.jsonl": True, "b.jsonl": False}


def test_no_parts_cover_nothing():
    assert merge_coverage([]) == {}


@pytest.mark.parametrize(
    ("ranges", "end", "complete"),
    [
        ((), None, False),
        (((0, 3),), None, False),  # the last record is still to come
        (((0, 1), (2, 3)), 3, False),
        (((1, 3),), 3, False),
        (((0, 3),), 3, True),
    ],
)
def test_a_file_is_complete_with_its_last_record_and_all_before(ranges, end, complete):
    assert Coverage(version="", ranges=ranges, end=end).complete is complete


def test_a_note_says_what_its_documents_are():
    note = note_of(
        document("a.jsonl", 1, entities=("protein", "DNA")),
        document("a.jsonl", 0, entities=("protein",), sentences=3),
        document("a.jsonl", 3, last=True, error="line 4: not JSON", sentences=0),
        document("β.xml", 7, last=True, error="cut off", sentences=0, metadata=[("x", "y"), (BROKEN_FILE, "true")]),
    )
    assert note.coverage == {
        "a.jsonl": Coverage(version="version of a.jsonl", ranges=((0, 2), (3, 4)), end=4, chunks=3, errors=1),
        "β.xml": Coverage(version="version of β.xml", ranges=((7, 8),), end=8, errors=1, broken=True),
    }
    assert note.counts == Counts(
        documents=4, sentences=4, tokens=8, chunks={"DNA": 1, "protein": 2}, errors=2, broken_files=1
    )


def test_documents_without_chunks_are_counted():
    assert note_of(document(), document(ordinal=1)).counts == Counts(documents=2, sentences=2, tokens=4)


def test_a_note_of_several_blocks_is_that_of_one():
    rows = [document(ordinal=i, entities=("RNA",) * i) for i in range(4)]
    one = pa.Table.from_pylist(rows, schema=CHUNK)
    blocks = pa.concat_tables([one.slice(0, 1), one.slice(1, 0), one.slice(1, 3)])
    assert PartNote.of(blocks) == PartNote.of(one)


@given(COUNTS, st.dictionaries(NAMES, st.tuples(NAMES, ORDINALS, st.none() | st.integers(0, 99)), max_size=3))
def test_a_note_survives_json(counts, coverage):
    note = PartNote(
        coverage={
            source: Coverage(version=version, ranges=to_ranges(ordinals), end=end)
            for source, (version, ordinals, end) in coverage.items()
        },
        counts=counts,
    )
    written = note.to_json()
    assert "\n" not in written
    assert PartNote.from_json(written) == note
    assert PartNote.from_json(written.encode()) == note


GOOD = json.loads(covering({0, 2}, end=3).to_json())
COVERED = GOOD["coverage"]["a.jsonl"]


@pytest.mark.parametrize(
    "damaged",
    [
        "",
        '{"coverage": {',
        "null",
        "[]",
        "{}",
        json.dumps(GOOD | {"coverage": []}),
        json.dumps(GOOD | {"counts": {"document": 1}}),
        json.dumps(GOOD | {"coverage": {"a": COVERED | {"ranges": [[1]]}}}),
        json.dumps(GOOD | {"coverage": {"a": COVERED | {"ranges": None}}}),
        json.dumps(GOOD | {"coverage": {"a": {"version": ""}}}),
        b"\xff",
    ],
)
def test_what_is_no_note_is_a_value_error(damaged):
    with pytest.raises(ValueError, match=r"."):
        PartNote.from_json(damaged)


@given(st.lists(COUNTS, max_size=4))
def test_counts_add_up(counts):
    total = Counts.total(iter(counts))
    assert total.tokens == sum(one.tokens for one in counts)
    assert total.broken_files == sum(one.broken_files for one in counts)
    for entity in {entity for one in counts for entity in one.chunks} | {"no such"}:
        assert total.chunks.get(entity, 0) == sum(one.chunks.get(entity, 0) for one in counts)
    assert list(total.chunks) == sorted(total.chunks)


def test_part_names_sort_by_task():
    names = [part_name("0123abcd", task) for task in (0, 9, 10, 999_999)]
    assert names[0] == "part-0123abcd-000000"
    assert names == sorted(names)
