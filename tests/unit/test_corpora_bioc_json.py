import gzip
import json

import bioc
import pytest
from bioc import biocjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.corpora import json_stream
from pipelines.corpora.bioc_json import read_bioc_json
from pipelines.corpora.input_files import InputError
from pipelines.corpora.records import ReaderOptions, Record

UNICODE = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
PASSAGE = {"offset": 0, "text": "IL-2", "infons": {"type": "title"}}
DOCUMENT = {"id": "7", "infons": {"year": 1999}, "passages": [PASSAGE]}
RECORD = Record("7", "IL-2", {"year": "1999", "passage_infons": '[{"type": "title"}]', "section_labels": '["title"]'})


def read(tmp_path, data, name="a.json"):
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else json.dumps(data).encode())
    return list(read_bioc_json(str(path), ReaderOptions()))


def document(**fields):
    return {"id": "7", "passages": [PASSAGE | fields]}


@pytest.mark.parametrize(
    ("data", "count"),
    [
        ({"documents": [DOCUMENT, DOCUMENT]}, 2),
        ({"source": "x", "infons": {"documents": [1]}, "documents": [DOCUMENT], "after": [[]]}, 1),
        ([{"documents": [DOCUMENT]}, {"documents": []}, {"documents": [DOCUMENT]}], 2),
        ({"PubTator3": [DOCUMENT]}, 1),
        (DOCUMENT, 1),
        ([DOCUMENT, DOCUMENT], 2),
        (json.dumps(DOCUMENT).encode() + b"\n" + json.dumps(DOCUMENT).encode() + b"\n", 2),
        (b"\xef\xbb\xbf" + json.dumps({"documents": [DOCUMENT]}).encode(), 1),
        ({"documents": []}, 0),
        ([], 0),
    ],
)
@pytest.mark.parametrize("chunk_bytes", [7, 1 << 16])
def test_documents_are_found_wherever_they_stand(tmp_path, monkeypatch, data, count, chunk_bytes):
    monkeypatch.setattr(json_stream, "CHUNK_BYTES", chunk_bytes)
    assert read(tmp_path, data) == [RECORD] * count


def test_a_document_is_laid_out_as_in_xml(tmp_path):
    def annotation(offset, length, text, entity):
        locations = [{"offset": offset, "length": length}]
        return {"id": "T", "infons": {"type": entity}, "text": text, "locations": locations}

    value = {
        "id": 7,
        "passages": [
            {"offset": 0, "text": "IL-2 😀", "annotations": [annotation(0, 4, "IL-2", "protein")]},
            {
                "offset": 8,
                "sentences": [
                    {"offset": 8, "text": "One.", "annotations": [annotation(8, 3, "Two", "x")]},
                    {"offset": 13, "text": "T4", "annotations": [annotation(13, 2, None, "cell")]},
                ],
            },
        ],
        "annotations": [annotation(5, 1, "😀", "emoji")],
        "relations": [{"id": "R"}],
    }
    [record] = read(tmp_path, {"documents": [value]})
    assert (record.document_id, record.text) == ("7", "IL-2 😀\n One.\nT4")
    assert json.loads(record.metadata["entities"]) == [
        {"start": 5, "end": 6, "entity": "emoji"},
        {"start": 0, "end": 4, "entity": "protein"},
        {"start": 13, "end": 15, "entity": "cell"},
    ]
    assert json.loads(record.metadata["unplaced_entities"]) == [{"start": 8, "end": 11, "entity": "x", "text": "Two"}]


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        ({"id": "7"}, "document 1: JSON, but not BioC: not an object with `passages`; correct the document"),
        (["x"], "document 1: JSON, but not BioC: not an object with `passages`; correct the document"),
        ({"id": "7", "passages": "x"}, "document 1: `passages` is a string, not a list; correct the document"),
        ({"id": "7", "passages": ["x"]}, "document 1: `x` stands where an object should; correct the document"),
        (document(offset="0"), "document 1: `offset` is a string, not a whole number; correct the document"),
        (document(offset=0.5), "document 1: `offset` is float, not a whole number; correct the document"),
        (document(offset=True), "document 1: `offset` is bool, not a whole number; correct the document"),
        (document(text=["x"]), "document 1: `text` is a list, not a string; correct the document"),
        (document(annotations=[1]), "document 1: `1` stands where an object should; correct the document"),
        (
            document(annotations=[{"locations": [{"offset": 1}]}]),
            "document 1: an annotation's location lacks its `offset` or `length`; correct the document",
        ),
        ({"id": [], "passages": []}, "document 1: `document_id` is of type list; it must be a string or an integer"),
    ],
)
def test_a_bad_document_is_an_error_and_the_next_one_is_read(tmp_path, bad, error):
    first, second = read(tmp_path, {"documents": [bad, DOCUMENT]})
    assert (first.text, first.error) == (None, error)
    assert second == RECORD


def test_what_is_json_but_no_bioc_is_an_error(tmp_path):
    [record] = read(tmp_path, {"documents": {"id": 1}})
    assert record.error == "document 1: JSON, but not BioC: not an object with `passages`; correct the document"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not JSON, or broken in its first document (parse error: premature EOF); check what the file is"),
        (b"\x89PNG\r\n", "not JSON, or broken in its first document (lexical error: invalid char in json text); check"),
        (b"[" * 200_000, "brackets nested more than 100 deep; check what the file is"),
        (b'{"documents": [' + b'{"a":' * 200_000, "brackets nested more than 100 deep; check what the file is"),
        (b'{"documents": [{"passages": [' + b"9" * 9000, "not JSON, or broken in its first document ("),
    ],
)
def test_what_is_no_json_is_refused(tmp_path, data, reason):
    with pytest.raises(InputError) as caught:
        read(tmp_path, data)
    assert caught.value.reason.startswith(reason)
    assert "\n" not in str(caught.value)


GOOD = json.dumps({"documents": [DOCUMENT, DOCUMENT]}).encode()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (GOOD[:-2], "parse error: premature EOF"),
        (GOOD[:-2] + b', {"id": "\xff"}]}', "lexical error: invalid bytes in UTF8 string"),
        (GOOD[:-2] + b', {"id": "a\nb"}]}', "lexical error: invalid character inside string"),
        (GOOD[:-2] + b', {"offset": 1e999}]}', "parse error: numeric (floating point) overflow"),
        (GOOD[:-2] + b', {"offset": 99999999999999999999}]}', "parse error: integer overflow"),
        (GOOD + b"}", ""),
    ],
)
def test_the_documents_before_the_damage_stand(corpus_rows, data, message):
    rows = corpus_rows("a.json", data)
    assert [row["text"] for row in rows] == ["IL-2", "IL-2", None]
    assert rows[-1]["error"].startswith(f"after document 2 the JSON is broken ({message}")


@pytest.mark.parametrize(
    ("limit", "value"), [("MAX_RECORD_BYTES", "x" * 3_000_000), ("MAX_RECORD_VALUES", [[]] * 600_000)]
)
def test_a_bomb_in_gzip_ends_early(corpus_rows, monkeypatch, limit, value):
    monkeypatch.setattr(json_stream, limit, 1 << 20)
    data = json.dumps({"documents": [DOCUMENT, {"id": value}, DOCUMENT]}).encode()
    rows = corpus_rows("a.json.gz", gzip.compress(data))
    assert [row["text"] for row in rows] == ["IL-2", None]
    assert "of JSON in one document; check what the file is, or split it" in rows[-1]["error"]


def test_half_a_surrogate_pair_is_a_question_mark(tmp_path):
    data = json.dumps(document(text="a\ud800b")).encode()
    assert [record.text for record in read(tmp_path, data)] == ["a?b"]


def test_through_the_source(corpus_rows):
    [row] = corpus_rows("a.json.gz", gzip.compress(GOOD))[:1]
    assert (row["document_id"], row["text"], row["ordinal"], row["error"]) == ("7", "IL-2", 0, None)


@st.composite
def written_document(draw):
    """A document as the `bioc` package has it, its text and its entities."""
    written = bioc.BioCDocument()
    written.id = draw(st.text("abc1", min_size=1, max_size=5))
    text, spans = "", []
    for own in draw(st.lists(UNICODE, min_size=1, max_size=4)):
        text += "\n" if text else ""
        passage = bioc.BioCPassage()
        passage.offset, passage.text = len(text), own
        start = draw(st.integers(0, len(own) - 1))
        end = draw(st.integers(start + 1, len(own)))
        entity = bioc.BioCAnnotation()
        entity.id, entity.text, entity.infons["type"] = "T1", own[start:end], "protein"
        entity.add_location(bioc.BioCLocation(len(text) + start, end - start))
        passage.add_annotation(entity)
        spans.append({"start": len(text) + start, "end": len(text) + end, "entity": "protein"})
        written.add_passage(passage)
        text += own
    return written, text, spans


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(documents=st.lists(written_document(), max_size=3), indent=st.sampled_from([None, 2]))
def test_what_another_writer_wrote_is_read_with_its_offsets(tmp_path, documents, indent):
    written = bioc.BioCCollection()
    for one, _, _ in documents:
        written.add_document(one)
    records = read(tmp_path, biocjson.dumps(written, indent=indent).encode())
    for record, (one, text, spans) in zip(records, documents, strict=True):
        assert (record.document_id, record.text, record.error) == (one.id, text, None)
        assert json.loads(record.metadata["entities"]) == spans


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3) | st.just(DOCUMENT),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["id", "passages", "documents", "text", "annotations", "infons"]), inner)
        ),
    )
)
def test_no_json_ends_the_job(tmp_path, value):
    assert all(record.text is None or record.error is None for record in read(tmp_path, value))
