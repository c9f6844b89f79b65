import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.corpora.input_files import InputError, InputFile
from pipelines.corpora.records import (
    MAX_CHARACTERS,
    RECORD,
    ReaderOptions,
    Record,
    read_tables,
    records_to_table,
)
from pipelines.schema import BROKEN_FILE

FILE = InputFile(path="a.jsonl", format="jsonl", size=1, version="1-2")
OPTIONS = ReaderOptions(text_column="abstract", id_column="pmid")


def records(count: int, length: int = 1) -> list[Record]:
    return [Record(str(i), "x" * length, {}) for i in range(count)]


@pytest.mark.parametrize(
    ("document_id", "text", "record"),
    [
        ("a", "text", Record("a", "text", {})),
        (12, "text", Record("12", "text", {})),
        (10**30, "text", Record("1" + "0" * 30, "text", {})),
        (None, "text", Record(None, "text", {})),
        ("", "text", Record(None, "text", {})),
        ("a", None, Record("a", None, {})),
        ("a", "", Record("a", "", {})),
        ("a", "\ufeff\r\n\0 \u2028😀", Record("a", "\ufeff\r\n\0 \u2028😀", {})),
    ],
)
def test_good_values_make_a_record(document_id, text, record):
    assert Record.of(document_id, text, options=OPTIONS, where="line 7") == record


@pytest.mark.parametrize(
    ("document_id", "text", "kept_id", "error"),
    [
        ("a", 5, "a", "line 7: `abstract` is of type int; it must be a string"),
        ("a", ["x"], "a", "line 7: `abstract` is of type list; it must be a string"),
        ("a", True, "a", "line 7: `abstract` is of type bool; it must be a string"),
        ("a", b"x", "a", "line 7: `abstract` is of type bytes; it must be a string"),
        ("a", "ab\ud83d", "a", "line 7: `abstract` is not valid Unicode: lone surrogate \\ud83d at character 2"),
        ("a", "x" * (MAX_CHARACTERS + 1), "a", "line 7: `abstract` has 16,000,001 characters, 16,000,000 are allowed"),
        (True, "x", None, "line 7: `pmid` is of type bool; it must be a string or an integer"),
        (1.5, "x", None, "line 7: `pmid` is of type float; it must be a string or an integer"),
        ({}, "x", None, "line 7: `pmid` is of type dict; it must be a string or an integer"),
        ("\udc00", "x", None, "line 7: `pmid` is not valid Unicode: lone surrogate \\udc00 at character 0"),
    ],
)
def test_bad_values_make_an_error(document_id, text, kept_id, error):
    record = Record.of(document_id, text, {"year": 2001}, options=OPTIONS, where="line 7")
    assert record[:3] == (kept_id, None, {"year": "2001"})
    assert record.error.startswith(error)


def test_an_error_without_a_place_says_only_what_is_wrong():
    assert Record.of(None, 5) == Record(None, None, {}, "`text` is of type int; it must be a string")
    assert Record.of(None, "x") == Record(None, "x", {})


def test_metadata_becomes_strings():
    metadata = {
        "s": "a\n",
        "i": 1,
        "f": 1.5,
        "b": True,
        "none": None,
        "list": [1, "é"],
        "\ud800": "\udfff",
        "d": {"x": None},
    }
    assert Record.of(None, "x", metadata, options=OPTIONS, where="").metadata == {
        "s": "a\n",
        "i": "1",
        "f": "1.5",
        "b": "true",
        "list": '[1, "é"]',
        "\\ud800": "\\udfff",
        "d": '{"x": null}',
    }


def test_text_and_id_need_two_columns():
    with pytest.raises(ValueError, match="text and id cannot both be `text`"):
        ReaderOptions(id_column="text")


def test_a_table_holds_all_of_its_records():
    rows = [Record("a", "x", {"k": "v"}), Record(None, None, {}), Record("c", None, {}, "why")]
    table = records_to_table(rows, source="s", source_version="1-2", first_ordinal=5, last=True)
    assert table.schema.equals(RECORD)
    table.validate(full=True)
    assert table.to_pylist() == [
        {
            "document_id": i,
            "source": "s",
            "source_version": "1-2",
            "ordinal": o,
            "last": z,
            "text": t,
            "metadata": m,
            "error": e,
        }
        for i, o, z, t, m, e in [
            ("a", 5, False, "x", [("k", "v")], None),
            (None, 6, False, None, [], None),
            ("c", 7, True, None, [], "why"),
        ]
    ]


def test_an_empty_table_has_the_schema():
    assert records_to_table([], source="s", source_version="v", first_ordinal=0, last=False).schema.equals(RECORD)


@pytest.mark.parametrize(
    ("count", "length", "covered", "ordinals", "last"),
    [
        (0, 1, [], [], False),
        (1, 1, [], [[0]], True),
        (3, 1, [], [[0, 1, 2]], True),
        (4, 1, [], [[0, 1, 2], [3]], True),
        (3, 5, [], [[0, 1], [2]], True),
        (2, 50, [], [[0], [1]], True),
        (5, 1, [(0, 2)], [[2, 3, 4]], True),
        (5, 1, [(1, 2)], [[0], [2, 3, 4]], True),
        (5, 1, [(3, 5)], [[0, 1, 2]], False),
        (5, 1, [(4, 5), (0, 1)], [[1, 2, 3]], False),
        (5, 1, [(0, 5)], [], False),
        (5, 1, [(0, 3), (1, 2), (2, 4), (9, 12)], [[4]], True),
    ],
)
def test_tables_are_cut_at_rows_characters_and_covered_ordinals(count, length, covered, ordinals, last):
    tables = list(read_tables(FILE, iter(records(count, length)), rows=3, characters=10, covered=covered))
    assert [table["ordinal"].to_pylist() for table in tables] == ordinals
    flags = [flag for table in tables for flag in table["last"].to_pylist()]
    assert flags == [False] * (len(flags) - last) + [True] * last
    for table in tables:
        assert table["document_id"].to_pylist() == [str(i) for i in table["ordinal"].to_pylist()]
        assert set(table["source"].to_pylist()) == {"a.jsonl"}
        assert set(table["source_version"].to_pylist()) == {"1-2"}


@given(
    count=st.integers(0, 30),
    rows=st.integers(1, 8),
    covered=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=6),
)
def test_every_ordinal_comes_once_or_is_covered(count, rows, covered):
    tables = list(read_tables(FILE, records(count), rows=rows, covered=covered))
    read = [ordinal for table in tables for ordinal in table["ordinal"].to_pylist()]
    assert read == [i for i in range(count) if not any(start <= i < end for start, end in covered)]
    assert all(0 < len(table) <= rows for table in tables)


def test_metadata_counts_as_characters():
    rows = [Record(None, None, {"k": "v" * 20})] * 3
    assert [len(table) for table in read_tables(FILE, rows, characters=10)] == [1, 1, 1]


def broken_after(count: int):
    yield from records(count)
    raise InputError("a.jsonl", "cut off")


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_a_file_that_breaks_off_ends_with_an_error(count):
    rows = [row for table in read_tables(FILE, broken_after(count), rows=2) for row in table.to_pylist()]
    assert [row["error"] for row in rows] == [None] * count + ["cut off"]
    assert [row["last"] for row in rows] == [False] * count + [True]
    assert rows[-1]["ordinal"] == count
    assert [BROKEN_FILE in dict(row["metadata"]) for row in rows] == [False] * count + [True]
    assert (rows[-1]["document_id"], rows[-1]["text"]) == (None, None)


def test_holds_no_more_than_a_table_and_the_next_record():
    taken = []

    def source():
        for record in records(100):
            taken.append(record)
            yield record

    next(read_tables(FILE, source(), rows=5))
    assert len(taken) == 6
