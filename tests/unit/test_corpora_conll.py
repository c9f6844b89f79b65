import gzip
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.corpora import conll
from pipelines.corpora.conll import read_conll
from pipelines.corpora.records import ReaderOptions, Record


def read(tmp_path, data, name="a.conll"):
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return list(read_conll(str(path), ReaderOptions()))


def entities(record):
    """(text, entity) of each."""
    found = json.loads(record.metadata.get("entities", "[]"))
    return [(record.text[entity["start"] : entity["end"]], entity["entity"]) for entity in found]


@pytest.mark.parametrize(
    ("data", "texts"),
    [
        ("", []),
        ("\n\n", []),
        ("a O\nb O\n\nc O", ["a b", "c"]),
        ("-DOCSTART- -X- O\n\na O\nb O\n\nc O\n\n-DOCSTART-\n\nd O\n", ["a b\nc", "d"]),
        ("###MEDLINE:1\n\na\tO\n\nb\tO\n\n\n###MEDLINE:2\n\nc\tO\n", ["a\nb", "c"]),
        ("###MEDLINE:1\n###MEDLINE:2\n", ["", ""]),
        ("a O\n-DOCSTART- O\nb O\n\nc O", ["a", "b\nc"]),
        ("\ufeff-DOCSTART- O\r\n\r\na NN O\r\n \r\nb NN O\r\n", ["a\nb"]),
        ("-DOCSTART-x O\n", ["-DOCSTART-x"]),
        ("a b\tO\n\u00a0c  O \n", ["a b \u00a0c"]),
    ],
)
def test_sentences_and_documents(tmp_path, data, texts):
    records = read(tmp_path, data)
    assert [(record.text, record.error) for record in records] == [(text, None) for text in texts]


def test_ids_are_those_of_medline(tmp_path):
    assert [record.document_id for record in read(tmp_path, "###MEDLINE:95369245\n\na O\n\n###MEDLINE:\nb O")] == [
        "95369245",
        None,
    ]


@pytest.mark.parametrize(
    ("tags", "found"),
    [
        ("B-protein I-protein O B-DNA", [("IL-2 😀", "protein"), ("x", "DNA")]),
        ("B-protein B-protein O O", [("IL-2", "protein"), ("😀", "protein")]),
        ("I-protein I-DNA O I-DNA", [("IL-2", "protein"), ("😀", "DNA"), ("x", "DNA")]),
        ("S-protein B-DNA E-DNA O", [("IL-2", "protein"), ("😀 gene", "DNA")]),
        ("O O O O", []),
    ],
)
@pytest.mark.parametrize("between", ["\t", " ", "  NN ", "\tNN\t"])
def test_tags_become_entities(tmp_path, tags, found, between):
    tokens = ["IL-2", "😀", "gene", "x"]
    sentence = "".join(f"{token}{between}{tag}\n" for token, tag in zip(tokens, tags.split(), strict=True))
    [record] = read(tmp_path, f"-DOCSTART-\n\nfirst O\n\n{sentence}")
    assert record.text == "first\nIL-2 😀 gene x"
    assert entities(record) == found


def test_no_entity_crosses_a_sentence(tmp_path):
    [record] = read(tmp_path, "-DOCSTART- O\na B-x\n\nb I-x\n")
    assert entities(record) == [("a", "x"), ("b", "x")]


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (b"a O\nb\nc O", "line 2 has one column; write a token and its tag, with a tab or space between"),
        (b"a O\nb \xff O", "line 2 is not UTF-8: byte 0xff at byte offset 2"),
        (b"a O\n" * 30, "the sentence at line 1 is longer than 100 characters; put a blank line between sentences"),
        (b"a x\na y\na z\na q", "the sentence at line 1 has more than 3 different tags; write them in the last column"),
    ],
)
def test_a_bad_sentence_is_an_error_of_its_document(tmp_path, monkeypatch, bad, error):
    monkeypatch.setattr(conll, "MAX_SENTENCE_CHARACTERS", 100)
    monkeypatch.setattr(conll, "MAX_TAGS", 3)
    alone, good = read(tmp_path, bad + b"\n\ngood O\n")
    assert (alone.document_id, alone.text, good) == (None, None, Record(None, "good", {}))
    assert alone.error.startswith(error)
    document, good = read(tmp_path, b"###MEDLINE:1\n" + bad + b"\n\nx O\n\n###MEDLINE:2\ngood O\n")
    assert (document.document_id, document.text, good) == ("1", None, Record("2", "good", {}))
    assert document.error.split()[0] == error.split()[0]


def test_a_document_without_end_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(conll, "MAX_CHARACTERS", 10)
    first, second = read(tmp_path, "-DOCSTART-\n" + "abc O\n\n" * 10 + "-DOCSTART-\nabc O\n")
    assert first.error == "the document at line 1 is longer than 10 characters; split it"
    assert second.text == "abc"


def test_through_the_source(corpus_rows):
    data = gzip.compress(b"###MEDLINE:1\n\nIL-2\tB-DNA\ngene\tI-DNA\n\nx\tO\n", mtime=0)
    [row] = corpus_rows("a.iob2.gz", data)
    assert (row["document_id"], row["text"], row["ordinal"], row["error"]) == ("1", "IL-2 gene\nx", 0, None)
    assert row["metadata"] == {"entities": '[{"start": 0, "end": 9, "entity": "DNA"}]'}


SENTENCE = st.lists(
    st.tuples(st.text("ab😀-", min_size=1, max_size=5), st.sampled_from(["O", "B-x", "B-y"])), min_size=1, max_size=6
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(documents=st.lists(st.lists(SENTENCE, max_size=3), max_size=3))
def test_tokens_and_tags_come_back(tmp_path, documents):
    written = ""
    for number, sentences in enumerate(documents):
        written += f"###MEDLINE:{number}\n\n"
        written += "".join("".join(f"{token}\t{tag}\n" for token, tag in sentence) + "\n" for sentence in sentences)
    records = read(tmp_path, written)
    for number, (record, sentences) in enumerate(zip(records, documents, strict=True)):
        assert record.document_id == str(number)
        assert record.text == "\n".join(" ".join(token for token, _ in sentence) for sentence in sentences)
        tagged = [(token, tag[2:]) for sentence in sentences for token, tag in sentence if tag != "O"]
        assert entities(record) == tagged
