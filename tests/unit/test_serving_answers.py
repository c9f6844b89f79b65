"""Documents as the body of an answer: the same as the exports write of them."""

import io
import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from pipelines.exports.formats import export_files
from pipelines.light import LightPipeline
from pipelines.schema import DOCUMENT_ROW
from pipelines.serving.answers import EXPORTS
from tests.unit.asgi_client import make_client

DOCUMENTS = [
    {"document_id": "first", "text": "IL-2 mRNA in Jurkat cells.\nNF-kappa B binds the promoter."},
    {"document_id": "a/b:ü", "text": "The α-globin gene 🧬 is off. <b>GATA-1</b> & others."},
    {"document_id": "empty", "text": ""},
    {"text": "T lymphocytes\r\nexpress CD28"},
]
REQUEST = {"documents": DOCUMENTS}


@pytest.fixture(scope="module")
def client(endpoint):
    return endpoint()


@pytest.fixture(scope="module")
def as_json(client):
    return client.post("/v1/tag", REQUEST).json["documents"]


@pytest.fixture(scope="module")
def rows(document_rows, as_json):
    """The documents as a table, made of the texts and the answer in JSON."""
    table = document_rows(
        [
            {
                "document_id": tagged["document_id"],
                "text": sent["text"],
                "sentences": [(one["start"], one["end"]) for one in tagged["sentences"]],
                "spans": [(one["start"], one["end"], one["entity"]) for one in tagged["chunks"]],
                "scores": [one["score"] for one in tagged["chunks"]],
            }
            for sent, tagged in zip(DOCUMENTS, as_json, strict=True)
        ]
    )
    source = table.schema.get_field_index("source")
    return table.set_column(source, DOCUMENT_ROW.field("source"), [["request"] * table.num_rows])


def test_chunks_are_those_of_the_light_pipeline(as_json, embedded_model):
    expected = LightPipeline(embedded_model).annotate([document["text"] for document in DOCUMENTS])
    got = [document["chunks"] for document in as_json]
    assert sum(map(len, got)) > 4
    for one in (chunk for document in expected + got for chunk in document):
        one["score"] = np.float32(round(one["score"], 6))
    assert got == expected


def test_offsets_are_those_of_the_text_as_it_was_sent(as_json):
    for sent, tagged in zip(DOCUMENTS, as_json, strict=True):
        assert all(sent["text"][chunk["start"] : chunk["end"]] == chunk["text"] for chunk in tagged["chunks"])
        assert tagged["error"] is None
    assert [tagged["document_id"] for tagged in as_json] == ["first", "a/b:ü", "empty", "4"]


def test_one_text_is_a_document_of_number_1(client, as_json):
    answer = client.post("/v1/tag", {"text": DOCUMENTS[0]["text"]}).json["documents"]
    assert answer == [as_json[0] | {"document_id": "1"}]


@pytest.mark.parametrize("to", ["bioc", "bioc-xml", "pubtator"])
def test_a_format_is_what_the_export_writes(client, rows, to):
    export, media_type = EXPORTS[to]
    ((_, content),) = export_files(export, "cytotag", [rows])
    answer = client.post("/v1/tag", REQUEST | {"format": to})
    assert (answer.status, answer.headers["content-type"]) == (200, media_type)
    assert answer.body == b"".join(content)


def test_brat_is_a_zip_of_what_the_export_writes(client, rows):
    files = {path.removeprefix("cytotag/"): b"".join(content) for path, content in export_files("brat", "x", [rows])}
    answer = client.post("/v1/tag", REQUEST | {"format": "brat"})
    assert (answer.status, answer.headers["content-type"]) == (200, "application/zip")
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        assert archive.testzip() is None
        got = {name: archive.read(name) for name in archive.namelist()}
    assert got == {path.removeprefix("x/"): content for path, content in files.items()}
    assert {name.rpartition(".")[0] for name in got} == {"first", "a%2Fb%3A%C3%BC", "empty", "4"}


def test_options_of_a_request_are_those_of_the_command(client):
    def entities(**options):
        documents = client.post("/v1/tag", REQUEST | options).json["documents"]
        return [(chunk["entity"], chunk["score"]) for document in documents for chunk in document["chunks"]]

    every = entities()
    assert {entity for entity, _ in every} >= {"protein", "RNA"}
    assert entities(entities=["RNA", "RNA"]) == [one for one in every if one[0] == "RNA"]
    assert entities(threshold=0.9) == [one for one in every if one[1] >= 0.9]
    assert entities(threshold=1.0, entity_thresholds={"RNA": 0.0}) == [
        one for one in every if one[0] == "RNA" or one[1] >= 1
    ]


def test_the_models_own_threshold_holds_where_a_request_says_none(embedded_model, event_loop_runner, as_json):
    scores = [chunk["score"] for document in as_json for chunk in document["chunks"]]
    strict = replace(embedded_model, threshold=max(scores))
    asked = make_client(strict, event_loop_runner)

    def number(**options):
        documents = asked.post("/v1/tag", REQUEST | options).json["documents"]
        return sum(len(document["chunks"]) for document in documents)

    assert number() == scores.count(max(scores)) < number(threshold=0.55) == len(scores) <= number(threshold=0)
    lines = asked.post(
        "/v1/tag/stream", "\n".join(map(json.dumps, DOCUMENTS)).encode(), {"content-type": "application/x-ndjson"}
    ).lines
    assert sum(len(line["chunks"]) for line in lines) == scores.count(max(scores))


def test_text_in_json_is_utf_8_and_not_escaped(client):
    answer = client.post("/v1/tag", {"text": "the α-globin gene"})
    assert "α-globin".encode() in answer.body
    assert json.loads(answer.body)["documents"][0]["chunks"][0]["text"] == "α-globin gene"
