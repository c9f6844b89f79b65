import io
import json

import bioc
import pytest
from bioc import biocxml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.corpora import xml_stream
from pipelines.corpora.bioc import MAX_FILL
from pipelines.corpora.bioc_xml import read_bioc_xml
from pipelines.corpora.records import ReaderOptions, Record

IN_XML = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=30)


def passage(offset, text, inside="", infons=""):
    where = f"<offset>{offset}</offset>" if offset is not None else ""
    return f"<passage>{infons}{where}<text>{text}</text>{inside}</passage>"


def annotation(offset, length, text, entity="protein"):
    location = f'<location offset="{offset}" length="{length}"/>'
    return f'<annotation id="T"><infon key="type">{entity}</infon>{location}<text>{text}</text></annotation>'


def collection(*passages, start="<source>s</source><date/><key/>", infons=""):
    return f"<collection>{start}<document><id>7</id>{infons}{''.join(passages)}</document></collection>".encode()


def read(tmp_path, data):
    path = tmp_path / "a.xml"
    path.write_bytes(data)
    return list(read_bioc_xml(str(path), ReaderOptions()))


def metadata(record, key):
    return json.loads(record.metadata[key])


@pytest.mark.parametrize(
    ("passages", "text"),
    [
        ([passage(0, "ab"), passage(3, "cd")], "ab\ncd"),
        ([passage(0, "ab"), passage(6, "cd")], "ab\n   cd"),
        ([passage(0, "ab"), passage(2, "cd")], "abcd"),
        ([passage(3, "ab")], "   ab"),
        ([passage(0, "ab"), passage(1, "cd")], "ab\ncd"),  # from here on the offsets cannot hold
        ([passage(5, "ab"), passage(0, "cd")], "ab\ncd"),
        ([passage(-1, "ab")], "ab"),
        ([passage(None, "ab"), passage(None, "cd")], "ab\ncd"),
        ([passage(0, "ab"), passage(2_000_000_000, "cd")], "ab\ncd"),
        ([passage(0, "ab"), passage(2 + MAX_FILL, "cd")], "ab\n" + " " * (MAX_FILL - 1) + "cd"),
        ([passage(0, "ab"), passage(3 + MAX_FILL, "cd")], "ab\ncd"),
        ([passage(0, "ab"), passage(9, ""), passage(3, "cd")], "ab\ncd"),
        ([passage(0, " a\n\tb "), passage(7, "𝛼&amp;β"), passage(11, "c")], " a\n\tb \n𝛼&β\nc"),
        ([passage(0, "a<!-- x -->b<?y?><![CDATA[<c>]]>")], "ab<c>"),
        ([], None),
        ([passage(0, "")], None),
    ],
)
def test_offsets_hold_where_they_can(tmp_path, passages, text):
    [record] = read(tmp_path, collection(*passages))
    assert (record.document_id, record.text, record.error) == ("7", text, None)


def test_sentences_stand_for_the_text_of_their_passage(tmp_path):
    def sentence(offset, text, inside=""):
        return f"<sentence><offset>{offset}</offset><text>{text}</text>{inside}</sentence>"

    inside = sentence(5, "One x.", annotation(9, 1, "x")) + sentence(13, "Two.")
    data = collection(f"<passage><infon key='type'>abstract</infon><offset>5</offset>{inside}</passage>")
    [record] = read(tmp_path, data)
    assert record.text == "     One x.\n Two."
    assert metadata(record, "entities") == [{"start": 9, "end": 10, "entity": "protein"}]
    assert metadata(record, "section_labels") == ["abstract", "abstract"]


def test_infons_become_metadata(tmp_path):
    first = passage(0, "t\nu", infons='<infon key="type">front</infon><infon key="section_type">TITLE</infon>')
    second = passage(4, "v", infons='<infon key="type">paragraph</infon>')
    [record] = read(tmp_path, collection(first, second, passage(5, "w"), passage(7, "x"), infons=INFONS))
    assert record.metadata == {
        "year": "1999",
        "passage_infons": json.dumps([{"type": "front", "section_type": "TITLE"}, {"type": "paragraph"}, {}, {}]),
        "section_labels": '["TITLE", "TITLE", "paragraph", ""]',
    }
    assert record.text == "t\nu\nvw\nx"


INFONS = '<infon key="year">1999</infon>'


@pytest.mark.parametrize(
    ("offsets", "placed", "moved"),
    [
        ((0, 11), [{"start": 0, "end": 4, "entity": "protein"}, {"start": 18, "end": 20, "entity": "cell"}], False),
        ((100, 7), [{"start": 0, "end": 4, "entity": "protein"}, {"start": 19, "end": 21, "entity": "cell"}], True),
    ],
)
def test_entities_are_where_their_text_stands(tmp_path, offsets, placed, moved):
    first, second = offsets
    data = collection(
        passage(first, "IL-2 😀 gene", annotation(first, 4, "IL-2")),
        passage(second, "of the T4 cells", annotation(second + 7, 2, "T4", "cell")),
    )
    [record] = read(tmp_path, data)
    assert metadata(record, "entities") == placed
    assert (record.metadata.get("offsets") == "moved") == moved
    assert [record.text[entity["start"] : entity["end"]] for entity in placed] == ["IL-2", "T4"]
    assert "unplaced_entities" not in record.metadata


def test_an_entity_whose_text_stands_elsewhere_is_kept_apart(tmp_path):
    inside = annotation(1, 4, "IL-2") + annotation(8, 9, "gene x") + annotation(0, 0, "") + annotation(5, 4, "gene")
    [record] = read(tmp_path, collection(passage(0, "IL-2 gene", inside)))
    assert metadata(record, "entities") == [{"start": 5, "end": 9, "entity": "protein"}]
    assert metadata(record, "unplaced_entities") == [
        {"start": 1, "end": 5, "entity": "protein", "text": "IL-2"},
        {"start": 8, "end": 17, "entity": "protein", "text": "gene x"},
        {"start": 0, "end": 0, "entity": "protein", "text": ""},
    ]


def test_a_discontinuous_entity_keeps_its_fragments(tmp_path):
    locations = '<location offset="8" length="5"/><location offset="0" length="1"/>'
    inside = f"<annotation>{locations}<text>T cells</text></annotation>"
    [record] = read(tmp_path, collection(passage(0, "T and B cells", inside)))
    assert metadata(record, "entities") == [{"start": 0, "end": 13, "entity": "", "fragments": [[0, 1], [8, 13]]}]


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (passage("x", "a"), "document 1: an annotation or passage has the offset 'x', which is not a whole number"),
        (passage(0, "a", annotation("", 1, "a")), "document 1: an annotation or passage has the offset '', which"),
        (passage(0, "a", annotation(0, "1.5", "a")), "document 1: an annotation or passage has the length '1.5'"),
        (passage("9" * 5000, "a"), "document 1: an annotation or passage has the offset '99999999999999999999', which"),
        (
            passage(0, "a", "<annotation><location/></annotation>"),
            "document 1: an annotation or passage has the offset",
        ),
    ],
)
def test_a_bad_document_is_an_error_and_the_next_one_is_read(tmp_path, bad, error):
    data = collection(bad).replace(b"</collection>", b"<document><id>8</id></document></collection>")
    first, second = read(tmp_path, data)
    assert first[:3] == ("7", None, {})
    assert first.error.startswith(error)
    assert second == Record("8", None, {})


def test_labels_that_swell_are_an_error(tmp_path):
    label = f'<infon key="type">{"x" * 100_000}</infon>'
    [record] = read(tmp_path, collection(passage(0, "a\n" * 1000, infons=label)))
    assert record.error.startswith("document 1: its section labels have 100,100,000 characters, 16,000,000 are allowed")


LAUGHS = "<!ENTITY a0 'ha'>" + "".join(f"<!ENTITY a{i} '{f'&a{i - 1};' * 10}'>" for i in range(1, 12))


@pytest.mark.parametrize(
    ("bad", "prolog", "message"),
    [
        ("&x;", "<!DOCTYPE s [<!ENTITY x SYSTEM 'file:///etc/hostname'>]>", "Entity 'x' not defined"),
        ("&x;", "<!DOCTYPE collection SYSTEM 'http://127.0.0.1:9/BioC.dtd'>", "Entity 'x' not defined"),
        ("&a11;", f"<!DOCTYPE s [{LAUGHS}]>", "Maximum entity amplification"),
        ("<i>" * 5000, "", "Excessive depth in document: 256"),
        ("x" * 11_000_000, "", "Resource limit exceeded: Text node too long"),
        ("\udcff", "", "Invalid bytes in character encoding"),
        ("</text>", "", "Opening and ending tag mismatch"),
    ],
)
def test_the_documents_before_a_broken_one_stand(corpus_rows, bad, prolog, message):
    good = f"<document><id>1</id>{passage(0, 'good')}</document>"
    data = f"{prolog}<collection>{good}<document>{passage(0, bad)}</document>{good}</collection>"
    rows = corpus_rows("a.xml", data.encode(errors="surrogateescape"), "bioc-xml")
    assert [row["text"] for row in rows] == ["good", None]
    assert rows[1]["error"].startswith(f"after record 1 the XML is broken ({message}")


def test_a_document_within_another_is_refused(corpus_rows):
    rows = corpus_rows("a.xml", b"<collection><document><document><id>1</id></document></document></collection>")
    assert [row["error"] for row in rows] == [
        "after record 0 a <document> stands within another; check what the file is"
    ]


def test_a_record_that_is_too_large_ends_the_file(corpus_rows, monkeypatch):
    monkeypatch.setattr(xml_stream, "MAX_RECORD_BYTES", 1 << 20)
    rows = corpus_rows("a.xml", collection(*[passage(0, "x")] * 40_000))
    assert [row["error"] for row in rows] == [
        "more than 1 MiB of XML in one record; check what the file is, or split it"
    ]


def test_a_plain_file_may_be_larger_than_what_gzip_may_hide(tmp_path, monkeypatch):
    monkeypatch.setattr(xml_stream, "MAX_UNPACKED_BYTES", 10)
    assert [record.text for record in read(tmp_path, collection(passage(0, "x")))] == ["x"]


def test_through_the_source(corpus_rows):
    [row] = corpus_rows("a.xml", collection(passage(0, "IL-2", annotation(0, 4, "IL-2"))))
    assert (row["document_id"], row["text"], row["ordinal"], row["error"]) == ("7", "IL-2", 0, None)
    assert row["metadata"] == {"entities": '[{"start": 0, "end": 4, "entity": "protein"}]'}


@st.composite
def written_document(draw):
    """A document as the `bioc` package has it, and the text in which its offsets hold."""
    document = bioc.BioCDocument()
    document.id = draw(st.text("abc1", min_size=1, max_size=5))
    text, spans = "", []
    for number in range(draw(st.integers(1, 4))):
        own = draw(IN_XML.filter(bool))
        if number:
            gap = draw(st.integers(0, 3))
            text += "" if not gap else "\n" + " " * (gap - 1)
        part = bioc.BioCPassage()
        part.offset, part.text = len(text), own
        part.infons["type"] = draw(st.sampled_from(["title", "abstract"]))
        for _ in range(draw(st.integers(0, 2))):
            start = draw(st.integers(0, len(own) - 1))
            end = draw(st.integers(start + 1, len(own)))
            entity = bioc.BioCAnnotation()
            entity.id, entity.text = "T1", own[start:end]
            entity.infons["type"] = draw(st.sampled_from(["protein", "DNA"]))
            entity.add_location(bioc.BioCLocation(len(text) + start, end - start))
            part.add_annotation(entity)
            spans.append({"start": len(text) + start, "end": len(text) + end, "entity": entity.infons["type"]})
        document.add_passage(part)
        text += own
    return document, text, spans


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(documents=st.lists(written_document(), max_size=3), pretty=st.booleans())
def test_what_another_writer_wrote_is_read_with_its_offsets(tmp_path, documents, pretty):
    written = bioc.BioCCollection()
    for document, _, _ in documents:
        written.add_document(document)
    out = io.StringIO()
    biocxml.dump(written, out, pretty_print=pretty)
    records = read(tmp_path, out.getvalue().encode())
    for record, (document, text, spans) in zip(records, documents, strict=True):
        assert (record.document_id, record.text, record.error) == (document.id, text, None)
        assert json.loads(record.metadata.get("entities", "[]")) == spans
        assert "unplaced_entities" not in record.metadata
        assert len(metadata(record, "section_labels")) == len(text.split("\n"))
