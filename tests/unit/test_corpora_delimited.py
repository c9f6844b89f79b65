import csv
import gzip
import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.corpora import delimited
from pipelines.corpora.delimited import read_csv, read_tsv
from pipelines.corpora.input_files import InputError
from pipelines.corpora.records import ReaderOptions, Record

DEFAULT = ReaderOptions()


def read(tmp_path, data, options=DEFAULT, name="a.csv"):
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return list((read_tsv if ".tsv" in name else read_csv)(str(path), options))


@pytest.mark.parametrize(
    ("data", "records"),
    [
        ("text\n", []),
        ("text\nIL-2\n\ngene", [Record(None, "IL-2", {}), Record(None, "gene", {})]),
        ("document_id,text,year\n1,IL-2,1999\n", [Record("1", "IL-2", {"year": "1999"})]),
        ('text,year\n"a\nb\r\n""c"" , d",\n', [Record(None, 'a\nb\r\n"c" , d', {"year": ""})]),
        ('\ufeff"text",document_id\r\nx,1\r\n', [Record("1", "x", {})]),
        ("\n\ntext\nx\n", [Record(None, "x", {})]),
        ('text,n\n a , 1 \n5"-end,2\n', [Record(None, " a ", {"n": " 1 "}), Record(None, '5"-end', {"n": "2"})]),
        ("text,document_id\n,\n", [Record(None, "", {})]),
        ("text\n\u2028a\x0b\x0c\u0085\0\n", [Record(None, "\u2028a\x0b\x0c\u0085\0", {})]),
        (f'text,n\n"{"x" * 1_000_000}",1\n', [Record(None, "x" * 1_000_000, {"n": "1"})]),
    ],
)
def test_rows_are_records(tmp_path, data, records):
    assert read(tmp_path, data) == records


def test_tabs_stand_between_the_fields_of_tsv(tmp_path):
    data = 'text\tdocument_id\na, b\t1\n"c\td"\t2\n'
    assert read(tmp_path, data, name="a.tsv") == [Record("1", "a, b", {}), Record("2", "c\td", {})]


def test_text_and_id_are_taken_from_the_columns_that_were_named(tmp_path):
    options = ReaderOptions(text_column="abstract", id_column="pmid")
    assert read(tmp_path, "pmid,abstract,text\n1,a,b\n", options) == [Record("1", "a", {"text": "b"})]


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (b"x\n", "line 2 has 1 fields, the header has 2; correct it, or quote its fields"),
        (b"x,1,2\n", "line 2 has 3 fields, the header has 2; correct it, or quote its fields"),
        (b'"a\nb"\n', "line 2 has 1 fields, the header has 2; correct it, or quote its fields"),
        (b'"a" b,1\n', "line 2 is not well-formed (',' expected after '\"'); correct its quotes"),
        (b"a\rb,1\n", "line 2 is not well-formed (new-line character seen in unquoted field"),
        (b"\xff,1\n", "line 2 is not UTF-8: byte 0xff at byte offset 0"),
        (b'"a\nb\xff"\n', "line 3 is not UTF-8: byte 0xff at byte offset 1"),
        (b'"\xff\nb",1\n', "line 2 is not UTF-8: byte 0xff at byte offset 1"),
        (b"," * 1_000_001 + b"\n", "line 2 has more than 1,000,000 fields; check what the file is"),
    ],
)
def test_a_bad_row_is_an_error_that_names_its_line(tmp_path, bad, error):
    first, second = read(tmp_path, b"text,n\n" + bad + b"good,1\n")
    assert first[:3] == (None, None, {})
    assert first.error.startswith(error)
    assert second == Record(None, "good", {"n": "1"})


@pytest.mark.parametrize(
    ("data", "options", "reason"),
    [
        ("", DEFAULT, "the file is empty; write a header with the names of the columns"),
        ("\n\n", DEFAULT, "the file is empty; write a header"),
        ("a,b\n", DEFAULT, "there is no column `text`; name the right one with --text-column (the columns are a, b)"),
        ("text\n", ReaderOptions(id_column="pmid"), "there is no column `pmid`; name the right one with --id-column"),
        ("text,text\n", DEFAULT, "2 columns are named `text`; name the right one with --text-column"),
        ("text,a,a\n", DEFAULT, "more than one column is named `a`; rename the others"),
        (b"text,\xff\n", DEFAULT, "the header cannot be read: line 1 is not UTF-8"),
        ('"text"x\n', DEFAULT, "the header cannot be read: line 1 is not well-formed"),
        ('"text\n', DEFAULT, "the header cannot be read: line 1 is not well-formed (unexpected end of data)"),
    ],
)
def test_a_file_without_a_fitting_header_is_refused(tmp_path, data, options, reason):
    with pytest.raises(InputError) as caught:
        read(tmp_path, data, options)
    assert caught.value.reason.startswith(reason)


def test_a_quote_that_is_never_closed_is_an_error(tmp_path):
    good, bad = read(tmp_path, 'text,n\na,1\n"b,2\nc,3\n')
    assert good.text == "a"
    assert bad.error == "line 3 is not well-formed (unexpected end of data); correct its quotes"


@pytest.mark.parametrize("row", ['"' + "x\n" * 1000, '"\n",' * 1000, '"' + "x" * 3000])
def test_a_row_without_end_ends_the_file(corpus_rows, monkeypatch, row):
    monkeypatch.setattr(delimited, "MAX_ROW_BYTES", 1000)
    rows = corpus_rows("a.csv.gz", gzip.compress(f"text\ngood\n{row}".encode(), mtime=0))
    assert [row["text"] for row in rows] == ["good", None]
    assert rows[1]["error"] == "the row at line 3 does not end within 1,000 bytes; close its quotes"


@pytest.mark.parametrize(("name", "delimiter"), [("a.csv.gz", b","), ("a.tsv.gz", b"\t")])
def test_through_the_source(corpus_rows, name, delimiter):
    data = delimiter.join([b"document_id", b"text", b"year\n1", b"IL-2", b"1999\n"])
    [row] = corpus_rows(name, gzip.compress(data, mtime=0))
    assert (row["document_id"], row["text"], row["ordinal"], row["error"]) == ("1", "IL-2", 0, None)
    assert row["metadata"] == {"year": "1999"}


FIELD = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(FIELD, FIELD, FIELD), max_size=4),
    tabs=st.booleans(),
    line_end=st.sampled_from(["\n", "\r\n"]),
)
def test_any_fields_come_back(tmp_path, rows, tabs, line_end):
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter="\t" if tabs else ",", lineterminator=line_end, quoting=csv.QUOTE_ALL)
    writer.writerows([("document_id", "text", "note"), *rows])
    records = read(tmp_path, out.getvalue(), name="a.tsv" if tabs else "a.csv")
    assert records == [Record(name or None, text, {"note": note}) for name, text, note in rows]
