import gzip
import json
from types import SimpleNamespace

import pytest

from pipelines.corpora.input_files import InputError
from pipelines.dataset_documents import documents_of
from pipelines.outputs.folder import read_notes
from pipelines.outputs.formats import OUTPUT_FORMATS
from pipelines.outputs.sink import PartSink
from pipelines.schema import DOCUMENT_ROW

FORMATS = sorted(OUTPUT_FORMATS)
TEXTS = ["IL-2 in Jurkat cells. It binds 𝛼β.", "", "NF-kappa B", "zwei Wörter", "IL-4 mRNA"]


def jsonl(path, texts):
    lines = (json.dumps({"document_id": f"d{i}", "text": text, "year": i}) for i, text in enumerate(texts))
    path.write_text("\n".join([*lines, "not JSON"]) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def inputs(tmp_path):
    return [jsonl(tmp_path / "a.jsonl", TEXTS), jsonl(tmp_path / "b.jsonl", [*reversed(TEXTS)])]


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "chunks"


ALL = [(file, ordinal) for file in (0, 1) for ordinal in range(len(TEXTS) + 1)]
IN_ONE_PART = [ALL]
IN_MANY = [[one] for one in reversed(ALL)]
INTERLEAVED = [[*ALL[::3], *ALL[1::3]], ALL[2::3]]


def rows(tables):
    return sorted(
        (row for table in tables for row in table.to_pylist()), key=lambda row: (row["source"], row["ordinal"])
    )


@pytest.mark.parametrize("parts", [IN_ONE_PART, IN_MANY, INTERLEAVED], ids=["one", "many", "interleaved"])
@pytest.mark.parametrize("output_format", FORMATS)
def test_documents_are_those_that_were_tagged(folder, inputs, write_dataset, output_format, parts):
    documents = write_dataset(folder, output_format, inputs, parts, withdrawn=(0, 3), broken=(2,))
    tagged_rows = rows(table.select(DOCUMENT_ROW.names) for table in documents)
    wanted = [row for row in tagged_rows if row["ordinal"] not in (0, 3)]

    tables = list(documents_of(folder))

    assert all(table.schema.equals(DOCUMENT_ROW, check_metadata=True) for table in tables)
    assert rows(tables) == wanted
    assert [row["error"] for row in wanted[:4]] == [None, "stage failed on 2", None, wanted[3]["error"]]
    assert "line 6" in wanted[3]["error"]
    assert sum(len(row["chunks"]) for row in wanted) > 5


@pytest.mark.parametrize("output_format", FORMATS)
def test_records_that_no_part_covers_are_not_given(folder, inputs, write_dataset, output_format):
    documents = write_dataset(folder, output_format, inputs, [[(1, 4), (0, 1)], [(0, 2), (1, 0)]])
    assert [(row["source"], row["ordinal"]) for row in rows(documents_of(folder))] == [
        (str(inputs[file]), ordinal) for file, ordinal in [(0, 1), (0, 2), (1, 0), (1, 4)]
    ]
    assert rows(documents_of(folder))[2]["chunks"] == documents[1]["chunks"].to_pylist()[0]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.unlink(), "is not there any more"),
        (lambda path: path.write_text('{"text": "other"}'), "changed since it was tagged"),
    ],
    ids=["gone", "changed"],
)
@pytest.mark.parametrize("output_format", FORMATS)
def test_inputs_that_are_not_what_they_were(folder, inputs, write_dataset, output_format, damage, message):
    write_dataset(folder, output_format, inputs, IN_ONE_PART)
    before = rows(documents_of(folder))
    damage(inputs[1])
    if output_format == "documents":
        assert rows(documents_of(folder)) == before
    else:
        with pytest.raises(InputError, match=rf"^{inputs[1]}: {message}") as raised:
            list(documents_of(folder))
        assert "\n" not in str(raised.value)


def test_a_file_that_broke_off_gives_what_was_read(folder, write_dataset, tmp_path):
    whole = gzip.compress("".join(json.dumps({"text": f"P{i * 7919}"}) + "\n" for i in range(3000)).encode())
    (tmp_path / "a.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    [documents] = write_dataset(folder, "parquet", [tmp_path / "a.jsonl.gz"], [])
    sink = PartSink(folder, "parquet", "00000001")
    sink.write([documents], SimpleNamespace(task_idx=0))
    given = rows(documents_of(folder))
    assert given == rows([documents.select(DOCUMENT_ROW.names)])
    assert given[-1]["error"]
    assert len(given) > 100


def test_a_part_is_read_once_where_its_files_stand_in_order(folder, inputs, write_dataset, monkeypatch):
    write_dataset(folder, "parquet", inputs, [ALL[:8], ALL[8:]])
    module, opened = OUTPUT_FORMATS["parquet"], []
    read = module.read_rows
    monkeypatch.setattr(module, "read_rows", lambda *which: opened.append(which[1]) or read(*which))
    list(documents_of(folder))
    assert sorted(opened) == sorted(read_notes(folder, "parquet"))
