"""`cytotag convert` from the command line, over documents that the stages themselves have tagged."""

import csv
import functools
import json
import sys
from types import SimpleNamespace

import pytest

from actors.token_classifier import TokenClassifier
from pipelines.corpora.records import Record, records_to_table
from pipelines.light import LightPipeline
from pipelines.outputs.manifest import Manifest
from pipelines.outputs.output_error import OutputError
from pipelines.outputs.sink import PartSink
from pipelines.stages.document_assembler import DocumentAssembler
from pipelines.stages.ner_converter import NerConverter
from pipelines.stages.sentence_detector import SentenceDetector
from pipelines.stages.tokenizer import Tokenizer

TEXTS = [
    "IL-2 gene expression.\nNF-kappa B binds in Jurkat T cells.",
    "",
    "Nothing here.",
    "α-actin 😀 mRNA in T cells",
]


@pytest.fixture(scope="module")
def tagged(embedded_model):
    """The texts, and a record that could not be read (CHUNK)."""
    records = [Record.of(f"PMID {n}", text) for n, text in enumerate(TEXTS)]
    records.append(Record(None, None, {}, "line 5: not JSON"))
    table = records_to_table(records, source="[a].jsonl", source_version="", first_ordinal=0, last=True)
    for stage in (
        DocumentAssembler().transform,
        SentenceDetector().transform,
        Tokenizer(folder=embedded_model.folder, max_length=embedded_model.max_length).transform,
        TokenClassifier(embedded_model),
        NerConverter(labels=embedded_model.labels, policy=embedded_model.tag_policy).transform,
    ):
        table = stage(table)
    return table


@pytest.fixture
def dataset(tmp_path, tagged):
    folder = tmp_path / "chunks"
    folder.mkdir()
    Manifest(
        state="finished",
        command=("cytotag",),
        settings={"output_format": "documents"},
        model={"sha256": "", "folder": ""},
        inputs=(),
        counts={"documents": 5},
    ).write(folder)
    sink = PartSink(folder, "documents", "00000001")
    for task, part in enumerate([tagged.slice(0, 2), tagged.slice(2)]):
        sink.write([part], SimpleNamespace(task_idx=task))
    return folder


@pytest.fixture
def cytotag(cytotag):
    """Runs the command `convert`."""
    return functools.partial(cytotag, "convert")


def test_the_chunks_are_those_of_the_light_pipeline(cytotag, dataset, tmp_path, embedded_model):
    code, out, err = cytotag(dataset, "--to", "csv", "--output", tmp_path / "out")

    assert (code, out) == (0, "")
    with (tmp_path / "out" / "chunks-00001.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    expected = LightPipeline(embedded_model).annotate(TEXTS)
    assert [(row["document_id"], int(row["start"]), row["text"], row["entity"]) for row in rows] == [
        (f"PMID {n}", chunk["start"], chunk["text"], chunk["entity"])
        for n, chunks in enumerate(expected)
        for chunk in chunks
    ]
    assert len(rows) > 3
    assert [line.split() for line in err.splitlines()[:4]] == [
        ["documents", "4"],
        ["chunks", str(len(rows))],
        ["files", "1"],
        ["errors,", "left", "out", "1"],
    ]
    assert err.splitlines()[4:] == [f"csv: {tmp_path / 'out'}", "error: [a].jsonl: line 5: not JSON"]


def test_gold_for_evaluate_comes_out_with_documents_per_file(cytotag, dataset, tmp_path):
    code, _, _ = cytotag(dataset, "--to", "jsonl", "--output", tmp_path / "out", "--documents-per-file", 3)

    assert code == 0
    files = sorted((tmp_path / "out").glob("*.jsonl"))
    assert [len(file.read_text(encoding="utf-8").splitlines()) for file in files] == [3, 1]


def test_a_conversion_is_not_replaced_without_a_word(cytotag, dataset, tmp_path):
    arguments = (dataset, "--to", "brat", "--output", tmp_path / "out")
    assert cytotag(*arguments)[0] == 0
    code, _, err = cytotag(*arguments)
    assert (code, err) == (
        1,
        f"cytotag: {tmp_path / 'out'}: holds a conversion; replace it with --overwrite, or choose another folder\n",
    )
    assert cytotag(*arguments, "--overwrite")[0] == 0


def test_the_dataset_itself_is_not_written_into(cytotag, dataset):
    code, _, err = cytotag(dataset, "--to", "csv", "--output", dataset, "--overwrite")
    assert code == 1
    assert "and no conversion; choose an empty or a new folder" in err


@pytest.mark.parametrize("missing", ["nowhere", "."])
def test_what_is_no_dataset_is_said_before_anything_is_made(cytotag, tmp_path, missing):
    code, _, err = cytotag(tmp_path / missing, "--to", "csv", "--output", tmp_path / "out")
    assert code == 1
    assert "holds no cytotag run" in err
    assert not (tmp_path / "out").exists()


def test_ctrl_c_says_how_to_begin_again(cytotag, dataset, tmp_path, monkeypatch, tagged):
    def documents_of(_):
        yield tagged
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules["pipelines.dataset_documents"], "documents_of", documents_of)
    code, _, err = cytotag(dataset, "--to", "csv", "--output", tmp_path / "out")
    assert (code, err.splitlines()[-1]) == (
        1,
        f"cytotag: {tmp_path / 'out'}: stopped, not all is there; begin again with --overwrite",
    )
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["_conversion.json"]


def test_an_error_of_the_dataset_is_one_line(cytotag, dataset, tmp_path, monkeypatch):
    def documents_of(_):
        raise OutputError("chunks: a part is damaged")
        yield

    monkeypatch.setattr(sys.modules["pipelines.dataset_documents"], "documents_of", documents_of)
    code, _, err = cytotag(dataset, "--to", "csv", "--output", tmp_path / "out")
    assert code == 1
    assert err.splitlines()[-1] == "cytotag: chunks: a part is damaged"


def test_an_unknown_format_names_those_there_are(cytotag, dataset, tmp_path):
    code, _, err = cytotag(dataset, "--to", "xls", "--output", tmp_path / "out")
    assert code == 2
    assert "bioc-xml" in err
    assert "pubtator" in err


def test_json_lines_keep_the_text_as_it_is(cytotag, dataset, tmp_path):
    cytotag(dataset, "--to", "jsonl", "--output", tmp_path / "out")
    lines = (tmp_path / "out" / "chunks-00001.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["text"] for line in lines] == TEXTS


def test_a_store_is_no_place_for_a_conversion(cytotag, dataset):
    code, _, err = cytotag(dataset, "--to", "csv", "--output", "s3://bucket/out")
    assert code == 1
    assert err == "cytotag: --output s3://bucket/out: files are written to a local folder; name one\n"
