import pytest

from pipelines.corpora import lines, text
from pipelines.corpora.input_files import InputError
from pipelines.corpora.records import ReaderOptions, Record
from pipelines.corpora.text import read_text

A_FILE = ReaderOptions()
A_LINE = ReaderOptions(one_document_per_line=True)


def read(tmp_path, data: bytes, options: ReaderOptions, name: str = "PMC1.v2.txt") -> list[Record]:
    (tmp_path / name).write_bytes(data)
    return list(read_text(str(tmp_path / name), options))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", ""),
        (b"one\r\ntwo\rthree\n\n", "one\r\ntwo\rthree\n\n"),
        ("\ufeffIL-2\u2028".encode(), "IL-2\u2028"),
        ("a\ufeff\0\u0085 α😀".encode(), "a\ufeff\0\u0085 α😀"),
    ],
)
def test_a_document_a_file_is_read_as_it_stands(tmp_path, data, expected):
    assert read(tmp_path, data, A_FILE) == [Record("PMC1.v2", expected, {})]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", []),
        (b"one", ["one"]),
        (b"one\n", ["one"]),
        (b"one\n\ntwo\n", ["one", "", "two"]),
        (b"\n", [""]),
        (b" one \r\ntwo\rthree\r\n", [" one ", "two\rthree"]),
        ("\ufeffone\n\ufefftwo\u2028\u0085\x0b\x0c\x1c".encode(), ["one", "\ufefftwo\u2028\u0085\x0b\x0c\x1c"]),
    ],
)
def test_a_document_a_line_is_read_as_it_stands(tmp_path, data, expected):
    assert read(tmp_path, data, A_LINE) == [Record(None, line, {}) for line in expected]


def test_bytes_that_are_not_utf8_are_an_error_with_their_place(tmp_path):
    (record,) = read(tmp_path, b"\xef\xbb\xbfna\xefve", A_FILE)
    assert record[:3] == ("PMC1.v2", None, {})
    assert record.error.startswith(
        "the file is not UTF-8: byte 0xef at byte offset 5 (invalid continuation byte); convert"
    )


def test_a_bad_line_leaves_the_others_alone(tmp_path):
    first, bad, third = read(tmp_path, b"one\ntw\xff\nthree", A_LINE)
    assert (first.text, third.text) == ("one", "three")
    assert bad.text is None
    assert bad.error.startswith("line 2 is not UTF-8: byte 0xff at byte offset 2")


def test_a_file_too_long_for_a_document_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(text, "MAX_CHARACTERS", 10)
    (record,) = read(tmp_path, b"x" * 41, A_FILE)
    assert record.error == "the file is longer than 40 bytes; split it, or say --one-document-per-line"


def test_a_line_too_long_is_an_error_and_its_rest_is_passed_over(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "_MAX_BYTES", 10)
    records = read(tmp_path, b"one\n" + b"x" * 35 + b"\n" + b"y" * 10 + b"\nlast" + b"z" * 40, A_LINE)
    assert [record.text for record in records] == ["one", None, None, None]
    assert records[1].error == "line 2 is longer than 10 bytes; split it"
    assert records[3].error == "line 4 is longer than 10 bytes; split it"


@pytest.mark.parametrize("options", [A_FILE, A_LINE])
def test_gzip_by_another_name_is_refused(tmp_path, options):
    with pytest.raises(InputError, match=r'it is gzip data, but its name does not end in "\.gz"; rename it'):
        read(tmp_path, b"\x1f\x8b\x08\x00", options)
