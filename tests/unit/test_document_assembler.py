import pickle

import pyarrow as pa
import pytest

from pipelines.corpora.records import RECORD
from pipelines.schema import DOCUMENT
from pipelines.stages.document_assembler import DocumentAssembler, default_document_id


def records(ids, source="/data/a.jsonl"):
    rows = [
        {
            "document_id": document_id,
            "source": source,
            "source_version": "1-2",
            "ordinal": 10 + i,
            "last": False,
            "text": [" \ufeffx\r\n", "", None][i % 3],
            "metadata": [("year", "1999")],
            "error": "line 3" if i % 3 == 2 else None,
        }
        for i, document_id in enumerate(ids)
    ]
    return pa.Table.from_pylist(rows, schema=RECORD)


@pytest.mark.parametrize(
    ("source", "ordinal", "document_id"),
    [
        ("/data/a.jsonl", 0, "a.jsonl:1"),
        ("a.jsonl", 41, "a.jsonl:42"),
        ("C:\\data\\a.jsonl", 0, "a.jsonl:1"),
        ("s3://bucket/β.xml.gz", 0, "β.xml.gz:1"),
    ],
)
def test_default_ids_name_the_file_and_the_record(source, ordinal, document_id):
    assert default_document_id(source, ordinal) == document_id


@pytest.mark.parametrize(
    ("given", "ids"),
    [
        ([], []),
        (["a", "b", "a"], ["a", "b", "a"]),
        ([None, "b", None], ["a.jsonl:11", "b", "a.jsonl:13"]),
        ([None], ["a.jsonl:11"]),
    ],
)
def test_every_document_has_an_id_and_nothing_else_changes(given, ids):
    table = records(given)
    found = DocumentAssembler().transform(table)
    assert found.schema.equals(DOCUMENT)
    assert found["document_id"].to_pylist() == ids
    assert found.drop_columns("document_id").to_pylist() == table.drop_columns("document_id").to_pylist()


def test_sliced_and_chunked_tables():
    table = records([None, "b", None, "d"])
    parts = pa.concat_tables([table.slice(1, 2), table.slice(0, 0), table.slice(3)])
    assert DocumentAssembler().transform(parts)["document_id"].to_pylist() == ["b", "a.jsonl:13", "d"]


def test_columns_of_others_are_left_out():
    table = records(["a"]).append_column("extra", pa.array([1]))
    assert DocumentAssembler().transform(table).schema.equals(DOCUMENT)


def test_it_is_a_value_that_workers_can_be_sent():
    assert pickle.loads(pickle.dumps(DocumentAssembler())) == DocumentAssembler()  # noqa: S301  # our own bytes
