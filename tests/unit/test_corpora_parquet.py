import datetime
import decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.config import RunStoppedError
from pipelines.corpora.input_files import InputError
from pipelines.corpora.parquet import read_parquet
from pipelines.corpora.records import ReaderOptions, Record

DEFAULT = ReaderOptions()


def read(tmp_path, table: pa.Table, options: ReaderOptions = DEFAULT, **how) -> list[Record]:
    pq.write_table(table, tmp_path / "a.parquet", **how)
    return list(read_parquet(str(tmp_path / "a.parquet"), options))


def not_utf8(values: list[bytes], kind: pa.DataType = pa.string()) -> pa.Array:  # noqa: B008  # immutable
    binary = pa.array(values, pa.binary())
    return pa.StringArray.from_buffers(len(binary), *binary.buffers()[1:]).cast(kind)


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_reads_text_of_every_string_type(tmp_path, kind):
    texts = ["IL-2", None, "", "α😀\r\n\0", "IL-2"]
    table = pa.table({"text": pa.array(texts).cast(kind), "document_id": list("abcde")})
    assert read(tmp_path, table) == [Record(name, text, {}) for name, text in zip("abcde", texts, strict=True)]


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (pa.array([1, None, -3], pa.int64()), ["1", None, "-3"]),
        (pa.array([1, 2, 2**64 - 1], pa.uint64()), ["1", "2", "18446744073709551615"]),
        (pa.array(["a", "", None]), ["a", None, None]),
        (pa.array(["a", "b", "a"]).dictionary_encode(), ["a", "b", "a"]),
        (pa.nulls(3), [None, None, None]),
    ],
)
def test_ids_are_strings_or_integers(tmp_path, ids, expected):
    records = read(tmp_path, pa.table({"document_id": ids, "text": ["x", "y", "z"]}))
    assert [record.document_id for record in records] == expected
    assert [record.error for record in records] == [None] * 3


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array([2001]), "2001"),
        (pa.array([1.5]), "1.5"),
        (pa.array([True]), "true"),
        (pa.array([" t "]), " t "),
        (pa.array(["t"]).dictionary_encode(), "t"),
        (pa.array([b"a\xff"]), "a\\xff"),
        (pa.array([["A", None]]), '["A", null]'),
        (pa.array([{"a": ["é"]}]), '{"a": ["é"]}'),
        (pa.array([[("k", "v")]], pa.map_(pa.string(), pa.string())), '[["k", "v"]]'),
        (pa.array([datetime.date(2001, 2, 3)]), '"2001-02-03"'),
        (pa.array([1], pa.timestamp("ns")), "1970-01-01 00:00:00.000000001"),
        (pa.array([decimal.Decimal("1.10")]), '"1.10"'),
        (pa.array([1], pa.duration("us")), '"0:00:00.000001"'),
        (pa.array([[b"a"]]), "[\"b'a'\"]"),
    ],
)
def test_other_columns_become_metadata(tmp_path, column, expected):
    (record,) = read(tmp_path, pa.table({"text": ["x"], "c": column, "gone": pa.nulls(1)}))
    assert record == Record(None, "x", {"c": expected})


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        (
            {"body": ["x"], "n": [1]},
            DEFAULT,
            "there is no column `text`; name the right one with --text-column (the columns are body, n)",
        ),
        ({"text": [1]}, DEFAULT, "column `text` is of type int64, not a string; name the right one with --text-column"),
        ({"text": [b"x"]}, DEFAULT, "column `text` is of type binary, not a string"),
        ({"text": [["x"]]}, DEFAULT, "column `text` is of type list<"),
        (
            {"text": ["x"], "document_id": [1.5]},
            DEFAULT,
            "column `document_id` is of type double, not a string or an integer",
        ),
        (
            {"text": ["x"], "document_id": [True]},
            DEFAULT,
            "column `document_id` is of type bool, not a string or an integer",
        ),
        (
            {"text": ["x"]},
            ReaderOptions(id_column="pmid"),
            "there is no column `pmid`; name the right one with --id-column",
        ),
    ],
)
def test_refuses_columns_that_do_not_fit(tmp_path, columns, options, message):
    with pytest.raises(InputError) as caught:
        read(tmp_path, pa.table(columns), options)
    assert str(caught.value).startswith(f"{tmp_path}/a.parquet: {message}")


def test_text_and_id_are_taken_from_the_columns_that_were_named(tmp_path):
    table = pa.table({"pmid": [7], "abstract": ["a"], "text": ["t"], "document_id": ["d"]})
    options = ReaderOptions(text_column="abstract", id_column="pmid")
    assert read(tmp_path, table, options) == [Record("7", "a", {"text": "t", "document_id": "d"})]


def test_text_that_is_not_utf8_is_an_error_with_its_place(tmp_path):
    first, second, third = read(tmp_path, pa.table({"text": not_utf8([b"ok", b"na\xefve", b"ok"]), "n": [1, 2, 3]}))
    assert (first.text, third.text) == ("ok", "ok")
    assert second[:3] == (None, None, {})
    assert second.error.startswith("row 2 is not UTF-8: byte 0xef at byte offset 2 (invalid continuation byte)")


def test_rows_are_counted_over_row_groups(tmp_path):
    texts = [f"text {i}" for i in range(1000)]
    values = [text.encode() for text in texts]
    values[777] = b"\xff"
    records = read(tmp_path, pa.table({"text": not_utf8(values)}), row_group_size=300)
    assert [record.text for record in records] == [*texts[:777], None, *texts[778:]]
    assert records[777].error.startswith("row 778 is not UTF-8")


def test_a_file_without_rows_has_no_records(tmp_path):
    assert read(tmp_path, pa.table({"text": pa.array([], pa.string())})) == []


@pytest.mark.parametrize("data", [b"", b"PAR1", b"text,id\n" * 100, b"PAR1" + b"x" * 100 + b"PAR1"])
def test_what_is_not_parquet_is_refused(tmp_path, data):
    (tmp_path / "a.parquet").write_bytes(data)
    with pytest.raises(InputError, match="not a Parquet file, or a damaged one"):
        list(read_parquet(str(tmp_path / "a.parquet"), DEFAULT))


def test_a_missing_file_stops_the_run(tmp_path):
    with pytest.raises(RunStoppedError, match=r"cannot be read on .* \(No such file or directory\)"):
        list(read_parquet(str(tmp_path / "a.parquet"), DEFAULT))


def test_a_damaged_page_keeps_the_records_before(tmp_path):
    table = pa.table({"text": [f"text {i}" for i in range(3000)]})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=1000, use_dictionary=False, compression="zstd")
    data = bytearray((tmp_path / "a.parquet").read_bytes())
    start = pq.read_metadata(tmp_path / "a.parquet").row_group(2).column(0).data_page_offset
    data[start + 60 : start + 400] = bytes(340)
    (tmp_path / "a.parquet").write_bytes(data)
    records = read_parquet(str(tmp_path / "a.parquet"), DEFAULT)
    texts = []
    with pytest.raises(InputError, match="damaged"):
        texts.extend(record.text for record in records)
    assert texts == table["text"].to_pylist()[:1792]  # whole batches of 256


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(texts=st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"])), min_size=1))
def test_any_text_is_read_exactly(tmp_path, texts):
    records = read(tmp_path, pa.table({"text": pa.array(texts, pa.string())}))
    assert [record.text for record in records] == texts
