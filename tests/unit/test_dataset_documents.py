import gzip
import json
from types import SimpleNamespace

import pyarrow as pa
import pytest

from pipelines.corpora.formats import READERS
from pipelines.corpora.input_files import InputError, find_input_files
from pipelines.corpora.records import ReaderOptions, read_tables
from pipelines.dataset_documents import documents_of
from pipelines.outputs.folder import prepare, read_notes
from pipelines.outputs.formats import OUTPUT_FORMATS
from pipelines.outputs.manifest import Manifest
from pipelines.outputs.sink import PartSink
from pipelines.schema import CHUNK, DELETED, DOCUMENT_ROW, SUPERSEDED, WITHDRAWN
from pipelines.stages.document_assembler import DocumentAssembler
from pipelines.stages.sentence_detector import SentenceDetector

FORMATS = sorted(OUTPUT_FORMATS)
TEXTS = ["IL-2 in Jurkat cells. It binds 𝛼β.", "", "NF-kappa B", "zwei Wörter", "IL-4 mRNA"]


def tagged(documents, withdrawn=(), broken=()):
    """DOCUMENT to CHUNK: each capital letter is a chunk; some records are withdrawn, some fail in a stage."""
    rows = SentenceDetector().transform(documents).to_pylist()
    for row in rows:
        row |= {"token_count": 1, "model_use": None, "chunks": []}
        if row["ordinal"] in withdrawn:
            how = SUPERSEDED if row["ordinal"] % 2 else DELETED
            row |= {"text": None, "sentences": [], "metadata": [*row["metadata"], (WITHDRAWN, how)]}
        if row["ordinal"] in broken:
            row |= {"text": None, "sentences": [], "error": f"stage failed on {row['ordinal']}"}
        for start, letter in enumerate(row["text"] or ""):
            if letter.isupper():
                sentence = next(i for i, one in enumerate(row["sentences"]) if one["start"] <= start < one["end"])
                chunk = {"sentence_id": sentence, "chunk_id": len(row["chunks"]), "start": start, "end": start + 1}
                row["chunks"].append(chunk | {"text": letter, "entity": "DNA", "score": 0.5})
    return pa.Table.from_pylist(rows, schema=CHUNK)


def write(folder, output_format, inputs, parts, **damage):
    """A dataset whose parts hold the records `parts`: lists of (file number, ordinal)."""
    files, options = find_input_files([str(path) for path in inputs]), ReaderOptions()
    prepare(folder, "new")
    documents = [
        tagged(DocumentAssembler().transform(records), **damage)
        for file in files
        for records in [pa.concat_tables(read_tables(file, READERS[file.format](file.path, options), rows=2))]
    ]
    Manifest(
        state="finished",
        command=(),
        settings={"output_format": output_format, "reader": vars(options)},
        model={"folder": "/m", "sha256": "ab"},
        inputs=tuple(vars(file) for file in files),
    ).write(folder)
    sink = PartSink(folder, output_format, "00000001")
    for task, part in enumerate(parts):
        sink.write([documents[file].slice(ordinal, 1) for file, ordinal in part], SimpleNamespace(task_idx=task))
    return documents


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
def test_documents_are_those_that_were_tagged(folder, inputs, output_format, parts):
    documents = write(folder, output_format, inputs, parts, withdrawn=(0, 3), broken=(2,))
    tagged_rows = rows(table.select(DOCUMENT_ROW.names) for table in documents)
    wanted = [row for row in tagged_rows if row["ordinal"] not in (0, 3)]

    tables = list(documents_of(folder))

    assert all(table.schema.equals(DOCUMENT_ROW, check_metadata=True) for table in tables)
    assert rows(tables) == wanted
    assert [row["error"] for row in wanted[:4]] == [None, "stage failed on 2", None, wanted[3]["error"]]
    assert "line 6" in wanted[3]["error"]
    assert sum(len(row["chunks"]) for row in wanted) > 5


@pytest.mark.parametrize("output_format", FORMATS)
def test_records_that_no_part_covers_are_not_given(folder, inputs, output_format):
    documents = write(folder, output_format, inputs, [[(1, 4), (0, 1)], [(0, 2), (1, 0)]])
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
def test_inputs_that_are_not_what_they_were(folder, inputs, output_format, damage, message):
    write(folder, output_format, inputs, IN_ONE_PART)
    before = rows(documents_of(folder))
    damage(inputs[1])
    if output_format == "documents":
        assert rows(documents_of(folder)) == before
    else:
        with pytest.raises(InputError, match=rf"^{inputs[1]}: {message}") as raised:
            list(documents_of(folder))
        assert "\n" not in str(raised.value)


def test_a_file_that_broke_off_gives_what_was_read(folder, tmp_path):
    whole = gzip.compress("".join(json.dumps({"text": f"P{i * 7919}"}) + "\n" for i in range(3000)).encode())
    (tmp_path / "a.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    [documents] = write(folder, "parquet", [tmp_path / "a.jsonl.gz"], [])
    sink = PartSink(folder, "parquet", "00000001")
    sink.write([documents], SimpleNamespace(task_idx=0))
    given = rows(documents_of(folder))
    assert given == rows([documents.select(DOCUMENT_ROW.names)])
    assert given[-1]["error"]
    assert len(given) > 100


def test_a_part_is_read_once_where_its_files_stand_in_order(folder, inputs, monkeypatch):
    write(folder, "parquet", inputs, [ALL[:8], ALL[8:]])
    module, opened = OUTPUT_FORMATS["parquet"], []
    read = module.read_rows
    monkeypatch.setattr(module, "read_rows", lambda *which: opened.append(which[1]) or read(*which))
    list(documents_of(folder))
    assert sorted(opened) == sorted(read_notes(folder, "parquet"))
