import gzip
import json

import pytest
from bioc import pubtator
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.corpora import pubtator as reader
from pipelines.corpora.pubtator import read_pubtator
from pipelines.corpora.records import ReaderOptions, Record

IN_LINE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r\t"), max_size=30)


def read(tmp_path, data, name="a.pubtator"):
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return list(read_pubtator(str(path), ReaderOptions()))


def entities(record):
    return json.loads(record.metadata.get("entities", "[]"))


def test_title_and_abstract_and_what_is_in_them(tmp_path):
    data = (
        "1|t|IL-2 | 😀 gene\r\n1|a|Of T4 cells.\r\n1\t0\t4\tIL-2\tGene\t3558\r\n1\t17\t19\tT4\tCell\tX\tT|4\r\n"
        "1\t0\t4\tIL-4\tGene\t1\r\n1\tCID\tD1\tD2\r\n1\t17\t99\tT4\tCell\tX\r\n"
    )
    [record] = read(tmp_path, data)
    assert (record.document_id, record.text, record.error) == ("1", "IL-2 | 😀 gene\nOf T4 cells.", None)
    assert entities(record) == [{"start": 0, "end": 4, "entity": "Gene"}, {"start": 17, "end": 19, "entity": "Cell"}]
    assert json.loads(record.metadata["unplaced_entities"]) == [
        {"start": 0, "end": 4, "entity": "Gene", "text": "IL-4"},
        {"start": 17, "end": 99, "entity": "Cell", "text": "T4"},
    ]


@pytest.mark.parametrize(
    ("data", "found"),
    [
        ("", []),
        ("\n \n\n", []),
        ("1|t|A\n1|a|B", [("1", "A\nB")]),
        ("\ufeff1|t|A\n1|a|B\n\n\n\n2|t|C\n2|a|D\n", [("1", "A\nB"), ("2", "C\nD")]),
        ("1|t|A\n1|a|\n", [("1", "A")]),
        ("1|t|A\n", [("1", "A")]),
        ("1|t|\n1|a|B\n", [("1", "\nB")]),
        ("1|a|B\n1|t|A\n", [(None, None), ("1", "A")]),  # a title begins a document
        ("1|t|A\n1|a|B\n2|t|C\n2|a|D\n", [("1", "A\nB"), ("2", "C\nD")]),
        ("PMC|x|t|A\n", [(None, None)]),
    ],
)
def test_documents_are_told_apart(tmp_path, data, found):
    records = read(tmp_path, data)
    assert [record.text for record in records] == [text for _, text in found]
    assert [record.document_id for record in records if record.text] == [one for one, text in found if text]


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        ("1|t|A\nhello", "line 2 is not PubTator; write `id|t|title`, `id|a|abstract` or tabs"),
        ("hello", "line 1 is not PubTator; write"),
        ("1|t|A\n1|a|B\n1|a|C", "line 3 is a second `|a|` of its document; leave one"),
        ("1|t|A\n2|a|B", "line 2 is of `2`, its document of `1`; correct it"),
        ("1|t|A\n2\t0\t1\tA\tX", "line 2 is of `2`, its document of `1`; correct it"),
        ("1|t|A\n1\t0\tx\tA\tX", "line 2 is not an annotation; write id, start, end, text, entity between tabs"),
        ("1|t|A\n1\t0\t1\tA", "line 2 is not an annotation; write"),
        ("1|t|A\n1\t" + "9" * 5000 + "\t1\tA\tX", "line 2 is not an annotation; write"),
        ("1|a|B", "the document at line 1 has no title; write `id|t|` even if it is empty"),
        ("1\t0\t1\tA\tX", "line 1 is of `1`, its document of `None`"),
        (b"1|t|A\n1|a|\xff", "line 2 is not UTF-8: byte 0xff at byte offset 4"),
    ],
)
def test_a_bad_document_is_an_error_that_names_the_line(tmp_path, bad, error):
    bad = bad.encode() if isinstance(bad, str) else bad
    first, second = read(tmp_path, bad + b"\n\n2|t|good\n")
    assert first.text is None
    assert first.error.startswith(error)
    assert second == Record("2", "good", {})


def test_a_document_without_end_is_an_error_and_not_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(reader, "MAX_CHARACTERS", 100)
    first, second = read(tmp_path, "1|t|A\n" + "1\t0\t1\tA\tX\n" * 1000 + "\n2|t|good\n")
    assert first.error == "the document at line 1 is longer than 100 characters; put a blank line between documents"
    assert second.text == "good"


def test_through_the_source(corpus_rows):
    data = gzip.compress(b"1|t|IL-2\n1|a|gene\n1\t0\t4\tIL-2\tGene\n", mtime=0)
    [row] = corpus_rows("a.PubTator.gz", data)
    assert (row["document_id"], row["text"], row["ordinal"], row["error"]) == ("1", "IL-2\ngene", 0, None)
    assert row["metadata"] == {"entities": '[{"start": 0, "end": 4, "entity": "Gene"}]'}


@st.composite
def written_document(draw):
    document = pubtator.PubTator(draw(st.text("123", min_size=1)), draw(IN_LINE), draw(IN_LINE))
    spans = []
    for start, text in ((0, document.title), (len(document.title) + 1, document.abstract)):
        if text:
            first = draw(st.integers(0, len(text) - 1))
            after = draw(st.integers(first + 1, len(text)))
            spans.append({"start": start + first, "end": start + after, "entity": "Gene"})
            annotation = (document.pmid, start + first, start + after, text[first:after], "Gene", "X")
            document.add_annotation(pubtator.PubTatorAnn(*annotation))
    document.add_relation(pubtator.PubTatorRel(document.pmid, "CID", "D1", "D2"))
    return document, spans


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(documents=st.lists(written_document(), max_size=3))
def test_what_another_writer_wrote_is_read_with_its_offsets(tmp_path, documents):
    records = read(tmp_path, pubtator.dumps([document for document, _ in documents]))
    for record, (document, spans) in zip(records, documents, strict=True):
        assert (record.document_id, record.text, record.error) == (document.pmid, document.text, None)
        assert entities(record) == spans
