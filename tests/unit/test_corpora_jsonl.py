import gzip
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.corpora.input_files import InputError, InputFile
from pipelines.corpora.jsonl import read_jsonl
from pipelines.corpora.records import ReaderOptions, Record, read_tables

DEFAULT = ReaderOptions()
UNICODE = st.text(st.characters(exclude_categories=["Cs"]))


def read(tmp_path, data: bytes, options: ReaderOptions = DEFAULT, name: str = "a.jsonl") -> list[Record]:
    (tmp_path / name).write_bytes(data)
    return list(read_jsonl(str(tmp_path / name), options))


@pytest.mark.parametrize(
    ("line", "record"),
    [
        (b'{"text": "IL-2"}', Record(None, "IL-2", {})),
        (b'{"document_id": "a", "text": "IL-2"}', Record("a", "IL-2", {})),
        (b'{"document_id": 7, "text": ""}', Record("7", "", {})),
        (b'{"document_id": "", "text": "x"}', Record(None, "x", {})),
        (b'{"document_id": null, "text": "x"}', Record(None, "x", {})),
        (b'{"text": null}', Record(None, None, {})),
        (rb'{"text": "a\ud83d\ude00\u0000\r\n"}', Record(None, "a😀\0\r\n", {})),
        (
            b'{"text": "x", "year": 2001, "mesh": ["A", {"b": 1}]}',
            Record(None, "x", {"year": "2001", "mesh": '["A", {"b": 1}]'}),
        ),
        (
            b'{"text": "x", "ok": false, "doi": null, "title": " t "}',
            Record(None, "x", {"ok": "false", "title": " t "}),
        ),
        (rb'{"text": "x", "title": "\ud800"}', Record(None, "x", {"title": r"\ud800"})),
        (b'\xef\xbb\xbf {"text": "x"} \r', Record(None, "x", {})),
    ],
)
def test_reads_a_line(tmp_path, line, record):
    assert read(tmp_path, line + b"\n") == [record]


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b'{"text": "x"', "line 1 is not JSON: Expecting ',' delimiter at character 13; correct the line"),
        (b"hello", "line 1 is not JSON: Expecting value at character 1; correct the line"),
        (b'{"text": "a\tb"}', "line 1 is not JSON: Invalid control character at at character 12"),
        (b'["x"]', 'line 1 is JSON, but not an object; write {"text": "..."}'),
        (b'"x"', 'line 1 is JSON, but not an object; write {"text": "..."}'),
        (b"null", 'line 1 is JSON, but not an object; write {"text": "..."}'),
        (b'{"txt": "x"}', "line 1 has no field `text`; name the right one with --text-column"),
        (b'{"text": 5}', "line 1: `text` is of type int; it must be a string"),
        (b'{"text": {"a": 1}}', "line 1: `text` is of type dict; it must be a string"),
        (b'{"text": NaN}', "line 1: `text` is of type float; it must be a string"),
        (
            b'{"text": "x", "document_id": 1.5}',
            "line 1: `document_id` is of type float; it must be a string or an integer",
        ),
        (
            b'{"text": "x", "document_id": true}',
            "line 1: `document_id` is of type bool; it must be a string or an integer",
        ),
        (rb'{"text": "ab\udc00c"}', "line 1: `text` is not valid Unicode: lone surrogate \\udc00 at character 2"),
        (rb'{"text": "x", "document_id": "\ud83d"}', "line 1: `document_id` is not valid Unicode: lone surrogate"),
        (b'{"text": "\xff"}', "line 1 is not UTF-8: byte 0xff at byte offset 10 (invalid start byte); convert it"),
        (b'{"text": "\xed\xa0\x80"}', "line 1 is not UTF-8: byte 0xed at byte offset 10"),
        (b'{"text": "x", "n": ' + b"9" * 5000 + b"}", "line 1 holds JSON that cannot be read (Exceeds the limit"),
        (
            b'{"text": "x", "n": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
            "line 1 holds JSON that cannot be read (maximum rec",
        ),
    ],
)
def test_a_bad_line_is_an_error_that_names_it(tmp_path, line, error):
    bad, good = read(tmp_path, line + b'\n{"text": "good"}\n')
    assert bad.text is None
    assert bad.error.startswith(error)
    assert good == Record(None, "good", {})


@pytest.mark.parametrize("depth", range(930, 1000, 2))
def test_no_depth_of_nesting_ends_the_job(tmp_path, depth):
    (record,) = read(tmp_path, b'{"text": "x", "n": ' + b"[" * depth + b"]" * depth + b"}")
    assert record.error or record.text == "x"


def test_blank_lines_are_no_records_but_count_as_lines(tmp_path):
    records = read(tmp_path, b'\n{"text": "a"}\n \t\r\n\nx\n{"text": "b"}')
    assert [record.text for record in records] == ["a", None, "b"]
    assert records[1].error.startswith("line 5 is not JSON")


def test_an_empty_file_has_no_records(tmp_path):
    assert read(tmp_path, b"") == []
    assert read(tmp_path, b"", name="a.jsonl.gz") == []


def test_text_and_id_are_taken_from_the_fields_that_were_named(tmp_path):
    options = ReaderOptions(text_column="abstract", id_column="pmid")
    data = b'{"pmid": 1, "abstract": "a", "text": "t", "document_id": "d"}\n{"abstract": "b"}\n{"pmid": 3}\n'
    first, second, third = read(tmp_path, data, options)
    assert first == Record("1", "a", {"text": "t", "document_id": "d"})
    assert second[:2] == (None, None)
    assert second.error == "line 2 has no field `pmid`; name the right one with --id-column"
    assert third[:2] == ("3", None)
    assert third.error == "line 3 has no field `abstract`; name the right one with --text-column"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(UNICODE), ascii_only=st.booleans(), compressed=st.booleans())
def test_any_text_is_read_exactly(tmp_path, texts, ascii_only, compressed):
    data = "".join(json.dumps({"text": text}, ensure_ascii=ascii_only) + "\n" for text in texts).encode()
    name = "a.jsonl.gz" if compressed else "a.jsonl"
    records = read(tmp_path, gzip.compress(data) if compressed else data, name=name)
    assert [record.text for record in records] == texts


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary())
def test_no_bytes_end_the_job(tmp_path, data):
    if not data.startswith(b"\x1f\x8b"):
        assert all(record.error for record in read(tmp_path, data) if record.text is None)


GOOD = "".join(json.dumps({"text": f"{i} {(i + 7) ** 40}"}) + "\n" for i in range(5000)).encode()


GOOD_GZ = gzip.compress(GOOD, mtime=0)  # no time in it: it is part of the names of tests


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (
            GOOD_GZ[:-5000],
            "the gzip data is cut off before its end; download or copy the file again",
        ),
        (GOOD_GZ[:-4], "the gzip data is cut off before its end"),
        (GOOD_GZ[:-8] + b"\0" * 8, "the gzip data is damaged (CRC check failed"),
        (GOOD_GZ[:9000] + b"\xff" * 5000, "the gzip data is damaged ("),
        (GOOD_GZ + b"garbage", "the gzip data is damaged (Not a gzipped file"),
    ],
)
def test_damaged_gzip_keeps_the_records_before(tmp_path, data, reason):
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(data)
    file = InputFile(path=str(path), format="jsonl", size=len(data), version="v")
    rows = [row for table in read_tables(file, read_jsonl(str(path), DEFAULT)) for row in table.to_pylist()]
    assert rows[-1]["error"].startswith(reason)
    assert rows[-1]["last"]
    assert len(rows) > 1
    for i, row in enumerate(rows[:-1]):
        assert row["text"].startswith(f"{i} ")


def test_what_is_not_gzip_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"a.jsonl.gz: the gzip data is damaged \(Not a gzipped file"):
        read(tmp_path, b'{"text": "x"}', name="a.jsonl.gz")


def test_two_gzip_members_are_one_file(tmp_path):
    data = gzip.compress(b'{"text": "a"}\n') + gzip.compress(b'{"text": "b"}\n')
    assert [record.text for record in read(tmp_path, data, name="a.jsonl.gz")] == ["a", "b"]
