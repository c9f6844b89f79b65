"""What the formats out say, example by example."""

import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.exports import spark
from pipelines.exports.formats import export_files
from pipelines.exports.passages import document_infons, passages
from pipelines.exports.rows import documents, id_in_line, id_in_path, one_line
from pipelines.exports.spark import java_float, utf16_units
from pipelines.outputs.output_error import OutputError
from pipelines.schema import DOCUMENT_ROW

TEXT = "Role of IL-2.\nThe gene was on."
ONE = {"document_id": "7", "text": TEXT, "spans": [(8, 12, "protein")], "sentences": [(0, 13), (14, 30)]}


@pytest.fixture
def exported(document_rows):
    """`exported(to, document, ...)`: the text of each file, by name."""

    def run(to, *given):
        files = export_files(to, "chunks-00001", [document_rows(given)])
        return {name: b"".join(content).decode() for name, content in files}

    return run


@pytest.fixture
def as_row(document_rows):
    return lambda document: next(documents([document_rows([document])]))


def test_csv_is_as_rfc_4180_has_it(exported):
    given = {"document_id": 'a"b', "text": "x,\r\ny", "spans": [(0, 5, "protein")], "scores": [0.123456789]}
    assert exported("csv", given) == {
        "chunks-00001.csv": "document_id,source,ordinal,sentence_id,chunk_id,start,end,text,entity,score\r\n"
        '"a""b",corpus.jsonl,0,0,0,0,5,"x,\r\ny",protein,0.123457\r\n'
    }


def test_pubtator(exported):
    given = {"document_id": "a|b\n", "text": "ti\ttle\nab\nst", "spans": [(3, 6, "cell_type")]}
    assert exported("pubtator", given, ONE) == {
        "chunks-00001.pubtator": "a%7Cb%0A|t|ti tle\na%7Cb%0A|a|ab st\na%7Cb%0A\t3\t6\ttle\tcell_type\t-\n\n"
        "7|t|Role of IL-2.\n7|a|The gene was on.\n7\t8\t12\tIL-2\tprotein\t-\n\n"
    }


def test_brat_has_a_mention_over_a_line_break_in_pieces(exported):
    given = {"document_id": "a", "text": "T\ncell\r\n\r\nx", "spans": [(0, 11, "cell type")]}
    assert exported("brat", given) == {
        "chunks-00001/a.txt": "T\ncell \n \nx",
        "chunks-00001/a.ann": "T1\tcell_type 0 1;2 7;8 9;10 11\tT cell    x\n",
    }


def test_brat_names_are_safe_and_unique(exported):
    ids = ["../etc/passwd", ".hidden", "a", "A", "a", "a-2", "x" * 400, "y" * 400, "y" * 401, "β"]
    names = [name for name in exported("brat", *({"document_id": one, "text": "t"} for one in ids)) if ".ann" in name]
    assert names[:6] == [
        f"chunks-00001/{name}.ann"
        for name in ("..%2Fetc%2Fpasswd".replace("..", "%2E.", 1), "%2Ehidden", "a", "A-2", "a-3", "a-2-2")
    ]
    assert len({name.lower() for name in names}) == len(ids)
    assert max(map(len, names)) < 200
    assert names[-1] == "chunks-00001/%CE%B2.ann"


def test_conll(exported):
    given = {
        "document_id": "1",
        "text": "IL-2gene α+.\nNone_x",
        "spans": [(0, 4, "protein"), (4, 8, "DNA"), (9, 10, "cell line")],
        "sentences": [(0, 12), (13, 19)],
    }
    [content] = exported("conll", given, {"document_id": "2 3", "text": ""}).values()
    assert content == (
        "###MEDLINE:1\n\nIL\tB-protein\n-\tI-protein\n2\tI-protein\ngene\tB-DNA\nα\tB-cell_line\n+\tO\n.\tO\n\n"
        "None\tO\n_\tO\nx\tO\n\n###MEDLINE:2%203\n\n"
    )


@pytest.mark.parametrize(
    ("spans", "sentences"),
    [
        ([(0, 4, "x"), (3, 6, "x")], [(0, 9)]),
        ([(0, 4, "x"), (0, 4, "y")], [(0, 9)]),
        ([(2, 3, "x")], [(0, 9)]),
        ([(3, 7, "x")], [(0, 4), (5, 9)]),
    ],
    ids=["overlap", "same", "blank", "over the end"],
)
def test_conll_refuses_what_tags_cannot_say(exported, spans, sentences):
    with pytest.raises(OutputError, match=r"document 'a': the chunk from . to . overlaps another, is blank, or leaves"):
        exported("conll", {"document_id": "a", "text": "ab cd fgh", "spans": spans, "sentences": sentences})


def test_bioc_xml(exported):
    labels = json.dumps(["", "AIM & <so>"])
    given = ONE | {"metadata": {"section_labels": labels, 'y"ear': "1999\x00"}}
    assert exported("bioc-xml", given)["chunks-00001.xml"] == (
        '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE collection SYSTEM "BioC.dtd">\n'
        "<collection><source>cytotag</source><date></date><key>cytotag.key</key>\n"
        '<document><id>7</id><infon key="source">corpus.jsonl</infon><infon key="y&#34;ear">1999\ufffd</infon>'
        "<passage><offset>0</offset><text>Role of IL-2.</text>"
        '<annotation id="0"><infon key="type">protein</infon><infon key="score">0.500000</infon>'
        '<location offset="8" length="4"/><text>IL-2</text></annotation></passage>'
        '<passage><infon key="section_type">AIM &amp; &lt;so&gt;</infon><offset>14</offset>'
        "<text>The gene was on.</text></passage></document>\n</collection>\n"
    )


def test_a_passage_is_a_line_with_its_label(as_row):
    labels = json.dumps(["", "AIM", "", "END"])
    row = as_row({"text": "a\nbc\n\nd", "spans": [(2, 4, "x"), (6, 7, "y")], "metadata": {"section_labels": labels}})
    found = [(p.offset, p.text, p.infons, [c["text"] for c in p.chunks]) for p in passages(row)]
    assert found == [
        (0, "a", {}, []),
        (2, "bc", {"section_type": "AIM"}, ["bc"]),
        (6, "d", {"section_type": "END"}, ["d"]),
    ]
    assert document_infons(row) == {"source": "corpus.jsonl"}


def test_lines_stay_together_where_a_chunk_goes_over_their_break(as_row):
    labels = json.dumps(["A", "B", "C", "D"])
    row = as_row({"text": "a\nbc\nd\ne", "spans": [(0, 1, "x"), (3, 6, "y")], "metadata": {"section_labels": labels}})
    assert [(p.offset, p.text, p.infons["section_type"], len(p.chunks)) for p in passages(row)] == [
        (0, "a", "A", 1),
        (2, "bc\nd", "B", 1),
        (7, "e", "D", 0),
    ]


@pytest.mark.parametrize("given", ["AIM", '["A"]', '["A", "B", "C"]', '["A", 1]', '{"a": 1, "b": 2}', "2"])
def test_metadata_of_the_users_own_under_the_name_of_labels_is_an_infon(as_row, given):
    row = as_row({"text": "a\nb", "metadata": {"section_labels": given}})
    assert [p.infons for p in passages(row)] == [{}, {}]
    assert document_infons(row) == {"source": "corpus.jsonl", "section_labels": given}


def test_a_passage_has_the_label_of_its_pubmed_section(as_row):
    sections = [{"label": "AIM", "start": 2, "end": 4}, {"label": "", "start": 5, "end": 6}]
    row = as_row({"text": "a\nbc\nd", "metadata": {"sections": json.dumps(sections)}})
    assert [(p.text, p.infons) for p in passages(row)] == [("a", {}), ("bc", {"section_type": "AIM"}), ("d", {})]
    assert "sections" in document_infons(row)


@pytest.mark.parametrize("given", ["AIM", "2", "null", '["A"]', "[2]", '[{"start": 0}]', '[{"start": 0, "label": 1}]'])
def test_metadata_of_the_users_own_under_the_name_of_sections_labels_nothing(as_row, given):
    row = as_row({"text": "a\nb", "metadata": {"sections": given}})
    assert [p.infons for p in passages(row)] == [{}, {}]
    assert document_infons(row) == {"source": "corpus.jsonl", "sections": given}


@pytest.mark.parametrize("text", ["", "\n", "\n\n"])
def test_a_document_has_a_passage_at_least(as_row, text):
    assert passages(as_row({"text": text})) == [(0, "", {}, [])]


def test_a_document_without_a_text_is_an_empty_one(exported, document_rows):
    table = document_rows([{"text": ""}])
    without = table.set_column(3, DOCUMENT_ROW.field("text"), pa.nulls(1, pa.string()))
    for to in ("bioc-xml", "bioc-json", "pubtator", "conll", "jsonl", "csv"):
        [(_, content)] = export_files(to, "x", [without])
        [expected] = exported(to, {"text": ""}).values()
        assert b"".join(content).decode() == expected


def test_ids_in_lines_and_paths_stay_apart():
    assert id_in_line("10.1000/ab-c.2") == "10.1000/ab-c.2"
    assert [id_in_line(one) for one in ("a b", "a%20b", "a\tb", "β|")] == ["a%20b", "a%2520b", "a%09b", "β%7C"]
    assert [id_in_path(one) for one in ("a/b:c", "..", "β", "con fig.v2")] == [
        "a%2Fb%3Ac",
        "%2E.",
        "%CE%B2",
        "con%20fig.v2",
    ]


def test_one_line_has_no_end_that_any_reader_knows():
    text = "".join(map(chr, range(0x3000)))
    assert len(one_line(text)) == len(text)
    assert one_line(text).splitlines() == [one_line(text)]


def test_spark_annotations(document_rows):
    text = "𝛼-IL2 😀 ok."
    given = {"text": text, "spans": [(0, 5, "protein"), (6, 7, "DNA")], "scores": [0.25, 1e-4], "metadata": {"y": "9"}}
    [row] = spark.to_spark(document_rows([given])).to_pylist()
    [document], [sentence], chunks = row["document"], row["sentence"], row["ner_chunk"]
    assert document == sentence
    assert document == {
        "annotatorType": "document",
        "begin": 0,
        "end": 12,  # of 11 characters two are two units each, and the last counts
        "result": text,
        "metadata": [("y", "9"), ("sentence", "0")],
        "embeddings": [],
    }
    assert chunks == [
        {
            "annotatorType": "chunk",
            "begin": begin,
            "end": end,
            "result": result,
            "metadata": [("entity", entity), ("sentence", "0"), ("chunk", number), ("confidence", confidence)],
            "embeddings": [],
        }
        for begin, end, result, entity, number, confidence in [
            (0, 5, "𝛼-IL2", "protein", "0", "0.25"),
            (7, 8, "😀", "DNA", "1", "1.0E-4"),
        ]
    ]


def test_spark_ends_an_empty_text_before_it_begins(document_rows):
    [row] = spark.to_spark(document_rows([{"text": ""}])).to_pylist()
    assert [(one["begin"], one["end"], one["result"]) for one in row["document"]] == [(0, -1, "")]
    assert row["sentence"] == row["ner_chunk"] == []


def test_spark_has_no_annotations_where_there_is_no_text(document_rows):
    table = document_rows([{"text": ""}]).set_column(3, DOCUMENT_ROW.field("text"), pa.nulls(1, pa.string()))
    [row] = spark.to_spark(table).to_pylist()
    assert (row["text"], row["document"], row["ner_chunk"]) == (None, [], [])


def test_spark_schema_is_that_of_spark_nlp_field_by_field(document_rows):
    [(_, content)] = export_files("spark", "x", [document_rows([ONE])])
    schema = pq.read_schema(io.BytesIO(b"".join(content)))
    assert schema.names == ["document_id", "text", "document", "sentence", "ner_chunk"]
    for name in ("document", "sentence", "ner_chunk"):
        annotation = schema.field(name).type.value_type
        assert [(field.name, field.type, field.nullable) for field in annotation] == [
            ("annotatorType", pa.string(), True),
            ("begin", pa.int32(), False),
            ("end", pa.int32(), False),
            ("result", pa.string(), True),
            ("metadata", pa.map_(pa.string(), pa.string()), True),
            ("embeddings", pa.list_(pa.field("element", pa.float32(), nullable=False)), True),
        ]


def test_spark_finds_in_the_footer_what_spark_nlp_wants_of_a_column(document_rows):
    [(_, content)] = export_files("spark", "x", [document_rows([ONE])])
    metadata = pq.read_metadata(io.BytesIO(b"".join(content))).metadata
    said = json.loads(metadata[b"org.apache.spark.sql.parquet.row.metadata"])
    assert said["type"] == "struct"
    fields = {field["name"]: field for field in said["fields"]}
    assert list(fields) == ["document_id", "text", "document", "sentence", "ner_chunk"]
    assert {name: field["metadata"].get("annotatorType") for name, field in fields.items()} == {
        "document_id": None,
        "text": None,
        "document": "document",
        "sentence": "document",
        "ner_chunk": "chunk",
    }
    annotation = fields["ner_chunk"]["type"]["elementType"]["fields"]
    assert [(field["name"], field["nullable"]) for field in annotation] == [
        ("annotatorType", True),
        ("begin", False),
        ("end", False),
        ("result", True),
        ("metadata", True),
        ("embeddings", True),
    ]


def test_utf16_units():
    text = "a𝛼b😀"
    assert [utf16_units(text)(offset) for offset in range(5)] == [0, 1, 3, 4, 6]
    assert [utf16_units("aβ")(offset) for offset in range(3)] == [0, 1, 2]
    assert utf16_units("")(0) == 0


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0.0"),
        (1.0, "1.0"),
        (0.9991234, "0.9991234"),
        (0.001, "0.001"),
        (1e-4, "1.0E-4"),
        (0.00012345, "1.2345E-4"),
    ],
)
def test_numbers_are_as_java_has_them(value, shown):
    assert java_float(value) == shown
