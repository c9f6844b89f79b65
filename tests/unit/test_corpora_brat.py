import json

import pytest
from bioc import brat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.config import RunStoppedError
from pipelines.corpora import brat as reader
from pipelines.corpora.brat import read_brat
from pipelines.corpora.records import ReaderOptions, Record

TEXT = "IL-2 and IL-4\ngenes 😀"


def read(tmp_path, text, annotations=None, options=None):
    (tmp_path / "a.v1.txt").write_bytes(text.encode() if isinstance(text, str) else text)
    if annotations is not None:
        path = tmp_path / "a.v1.ann"
        path.write_bytes(annotations.encode() if isinstance(annotations, str) else annotations)
    [record] = read_brat(str(tmp_path / "a.v1.txt"), options or ReaderOptions())
    return record


@pytest.mark.parametrize(
    ("line", "entity"),
    [
        ("T1\tprotein 0 4\tIL-2", {"start": 0, "end": 4, "entity": "protein"}),
        ("T2\tx 20 21\t😀\r", {"start": 20, "end": 21, "entity": "x"}),
        ("T3\tDNA 9 19\tIL-4 genes", {"start": 9, "end": 19, "entity": "DNA"}),
        ("T4\tDNA 0 4;14 19\tIL-2 genes", {"start": 0, "end": 19, "entity": "DNA", "fragments": [[0, 4], [14, 19]]}),
        ("T5\tDNA 9 13;14 19\tIL-4 genes", {"start": 9, "end": 19, "entity": "DNA", "fragments": [[9, 13], [14, 19]]}),
        ("T6\tprotein 0 4", {"start": 0, "end": 4, "entity": "protein"}),
    ],
)
def test_entities_are_read(tmp_path, line, entity):
    record = read(tmp_path, TEXT, f"{line}\nE1\tx:T1\nR1\tof Arg1:T1 Arg2:T2\n*\tEquiv T1 T2\n#1\tNote T1\tx\n\n")
    assert record == Record("a.v1", TEXT, {"entities": json.dumps([entity])})


@pytest.mark.parametrize(
    "line", ["T1\tprotein 0 4\tIL-4", "T1\tprotein 0 99\tIL-2", "T1\tp 4 0\tx", "T1\tp 0 4;9 99\tx"]
)
def test_an_entity_whose_text_stands_elsewhere_is_kept_apart(tmp_path, line):
    record = read(tmp_path, TEXT, line)
    assert record.text == TEXT
    assert "entities" not in record.metadata
    assert len(json.loads(record.metadata["unplaced_entities"])) == 1


@pytest.mark.parametrize(
    ("annotations", "error"),
    [
        ("T1\tprotein\tIL-2\n", "line 1 is not an entity; write `T1<tab>entity start end<tab>text`"),
        ("R1\tx\nT1 protein 0 4 IL-2", "line 2 is not an entity; write"),
        ("T1\tprotein 0 4;\tIL-2\n", "line 1 is not an entity; write"),
        (f"T1\tprotein 0 {'9' * 5000}\tIL-2\n", "line 1 is not an entity; write"),
        (b"T1\tprotein 0 4\t\xff\n", "line 1 is not UTF-8: byte 0xff"),
        (b"\x1f\x8b", 'it is gzip data, but its name does not end in ".gz"; rename it'),
    ],
)
def test_bad_annotations_are_an_error_that_names_their_file(tmp_path, annotations, error):
    record = read(tmp_path, TEXT, annotations)
    assert record[:3] == ("a.v1", None, {})
    assert record.error.startswith(f"its annotations, a.v1.ann: {error}")


def test_a_text_alone_is_a_document(tmp_path):
    assert read(tmp_path, TEXT) == Record("a.v1", TEXT, {})
    assert read(tmp_path, TEXT, "") == Record("a.v1", TEXT, {})


def test_a_text_is_one_document_whatever_else_is_said_of_lines(tmp_path):
    assert read(tmp_path, TEXT, options=ReaderOptions(one_document_per_line=True)).text == TEXT


def test_a_bad_text_is_an_error(tmp_path):
    assert read(tmp_path, b"\xff", "T1").error.startswith("the file is not UTF-8")


def test_annotations_that_do_not_end_are_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(reader, "_LARGEST", 100)
    record = read(tmp_path, TEXT, "T1\tprotein 0 4\tIL-2\n" * 100)
    assert record.error == "its annotations, a.v1.ann: more than 100 characters; check what the file is"


def test_a_text_that_is_gone_stops_the_run(tmp_path):
    with pytest.raises(RunStoppedError, match="cannot be read on"):
        list(read_brat(str(tmp_path / "a.txt"), ReaderOptions()))


def test_through_the_source(corpus_rows, tmp_path):
    (tmp_path / "d.ann").write_text("T1\tprotein 0 4\tIL-2\n")
    [row] = corpus_rows("d.txt", b"IL-2", "brat")
    assert (row["document_id"], row["text"], row["ordinal"], row["error"]) == ("d", "IL-2", 0, None)
    assert row["metadata"] == {"entities": '[{"start": 0, "end": 4, "entity": "protein"}]'}
    [row] = corpus_rows("d.txt", b"IL-2")
    assert row["metadata"] == {}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text("ab \n😀β", min_size=1, max_size=30), data=st.data())
def test_what_another_writer_wrote_is_read_with_its_offsets(tmp_path, text, data):
    document = brat.BratDocument()
    spans = []
    for number in range(data.draw(st.integers(0, 3))):
        start = data.draw(st.integers(0, len(text) - 1))
        end = data.draw(st.integers(start + 1, len(text)))
        entity = brat.BratEntity()
        entity.id, entity.type, entity.text = f"T{number}", "protein", text[start:end].replace("\n", " ")
        entity.add_span(start, end)
        document.add_annotation(entity)
        spans.append((start, end))
    record = read(tmp_path, text, brat.dumps_ann(document))
    found = json.loads(record.metadata.get("entities", "[]"))
    assert (record.text, record.error) == (text, None)
    assert sorted((entity["start"], entity["end"]) for entity in found) == sorted(spans)
