"""The layout that Spark NLP imports models from."""

import json

import numpy as np
import pytest

from actors.model_files import ModelError, ModelFiles
from actors.onnx_session import OnnxSession
from benchmarks.random_bert import LABELS, TINY, vocabulary
from pipelines.light import LightPipeline
from pipelines.models.spark_nlp_assets import is_assets_layout, read_assets_layout
from tests.spark_nlp_layouts import link_model, write_assets

PIECES = vocabulary(TINY.vocabulary)
ID2LABEL = {str(number): label for number, label in enumerate(LABELS)}


@pytest.fixture(scope="module")
def tiny_graph(tmp_path_factory):
    return write_assets(tmp_path_factory.mktemp("assets") / "tiny") / "model.onnx"


@pytest.fixture
def assets(tmp_path, tiny_graph):
    return write_assets(tmp_path / "model", graph=tiny_graph)


def settings_of(source):
    return json.loads(source.tokenizer_files["tokenizer_config.json"])


def test_a_folder_with_assets_is_told_apart(assets, tmp_path):
    assert is_assets_layout(assets)
    (assets / "assets" / "vocab.txt").unlink()
    assert is_assets_layout(assets)
    (assets / "assets" / "labels.txt").unlink()
    assert not is_assets_layout(assets)
    assert not is_assets_layout(tmp_path / "nothing")


def test_all_of_it_is_read(assets):
    source = read_assets_layout(assets)
    assert (source.origin, source.graph, source.labels) == (str(assets), assets / "model.onnx", LABELS)
    assert source.tokenizer_files["vocab.txt"].decode().splitlines() == PIECES
    assert settings_of(source) == {"do_lower_case": False, "model_max_length": 128}
    assert source.config == {"model_type": "bert"}
    assert source.layout == (
        "Spark NLP import layout, ONNX; casing not said, taken as cased from its vocabulary; longest input not said, "
        "so 128 word pieces, Spark NLP's default"
    )


def test_what_is_read_tags(assets, tmp_path):
    folder = link_model(read_assets_layout(assets), tmp_path / "imported")
    assert ModelFiles.from_pretrained(folder).max_length == 128
    assert LightPipeline.from_pretrained(folder).annotate("Expression of IL-2 in activated T cells of the mouse")


@pytest.mark.parametrize("place", ["", "assets"])
def test_settings_that_an_export_left_are_heeded(assets, place):
    config = {"id2label": ID2LABEL, "label2id": {}, "max_position_embeddings": 64, "model_type": "bert", "x": 1}
    (assets / place / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (assets / place / "tokenizer_config.json").write_text('{"do_lower_case": true}', encoding="utf-8")
    source = read_assets_layout(assets)
    assert source.config == {"max_position_embeddings": 64, "model_type": "bert", "x": 1}
    assert settings_of(source) == {"do_lower_case": True}
    assert source.layout == "Spark NLP import layout, ONNX"


@pytest.mark.parametrize("lower", [True, False])
def test_casing_may_stand_in_the_models_own_settings(assets, lower):
    (assets / "config.json").write_text(json.dumps({"do_lower_case": lower}), encoding="utf-8")
    source = read_assets_layout(assets)
    assert settings_of(source) == {"do_lower_case": lower}
    assert source.layout == "Spark NLP import layout, ONNX"


def test_a_vocabulary_without_capitals_is_uncased(tmp_path, tiny_graph):
    pieces = [piece for piece in PIECES if piece == piece.lower() or piece.startswith("[")]
    source = read_assets_layout(write_assets(tmp_path / "model", graph=tiny_graph, pieces=pieces))
    assert settings_of(source)["do_lower_case"] is True
    assert "taken as uncased from its vocabulary" in source.layout


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\n\n\n"])
def test_line_ends_are_no_part_of_a_line(assets, end):
    for name in ("vocab.txt", "labels.txt"):
        path = assets / "assets" / name
        lines = path.read_text(encoding="utf-8").splitlines()
        path.write_bytes(("\r\n" if "\r" in end else "\n").join(lines).encode() + end.encode())
    source = read_assets_layout(assets)
    assert source.labels == LABELS
    assert source.tokenizer_files["vocab.txt"].decode().splitlines() == PIECES


def test_a_line_separator_within_a_piece_ends_no_line(tmp_path, tiny_graph):
    pieces = [*PIECES[:-1], "a\u2028b\x85c"]
    source = read_assets_layout(write_assets(tmp_path / "model", graph=tiny_graph, pieces=pieces))
    assert source.tokenizer_files["vocab.txt"].decode().split("\n")[:-1] == pieces


def test_labels_that_nobody_named_contradict_none(assets):
    nameless = {str(number): f"LABEL_{number}" for number in range(len(LABELS))}
    (assets / "config.json").write_text(json.dumps({"id2label": nameless}), encoding="utf-8")
    assert read_assets_layout(assets).labels == LABELS


def test_a_tensorflow_graph_beside_the_onnx_one_is_told_of(assets):
    (assets / "saved_model.pb").touch()
    assert "its TensorFlow graph is not used" in read_assets_layout(assets).layout


@pytest.mark.parametrize("weights", ["model.onnx_data", "model.onnx.data", "weights.bin"])
def test_weights_stand_beside_the_graph(tmp_path, weights, tiny_graph):
    source = read_assets_layout(write_assets(tmp_path / "model", weights=weights))
    ids = np.arange(1, 41)[None]
    assert np.array_equal(OnnxSession(source.graph).run(ids), OnnxSession(tiny_graph).run(ids))
    (tmp_path / "model" / weights).unlink()
    with pytest.raises(ModelError, match=rf"model.onnx: keeps weights in '{weights}', which is not beside it; copy"):
        read_assets_layout(tmp_path / "model")


def write(name, text):
    return lambda folder: (folder / name).write_text(text, encoding="utf-8")


def remove(name):
    return lambda folder: (folder / name).unlink()


def lines(name, change):
    def change_lines(folder):
        path = folder / "assets" / name
        path.write_text("\n".join(change(path.read_text(encoding="utf-8").splitlines())), encoding="utf-8")

    return change_lines


def put(*files):
    def change(folder):
        for name, content in files:
            if content is None:
                (folder / name).unlink()
            else:
                (folder / name).parent.mkdir(exist_ok=True, parents=True)
                (folder / name).write_text(content, encoding="utf-8")

    return change


def config_of(labels):
    return write("config.json", json.dumps({"id2label": {str(i): label for i, label in enumerate(labels)}}))


BROKEN = {
    "no graph": (remove("model.onnx"), "no model.onnx beside assets/; export"),
    "no graph but TensorFlow": (
        put(("model.onnx", None), ("saved_model.pb", "")),
        "a TensorFlow model (saved_model.pb)",
    ),
    "TensorFlow further in": (put(("model.onnx", None), ("saved_model/1/saved_model.pb", "")), "a TensorFlow model"),
    "a graph that is none": (
        write("model.onnx", "version https://git-lfs.github.com/spec/v1"),
        "model.onnx: not an ONNX",
    ),
    "an empty graph": (write("model.onnx", ""), "model.onnx: not an ONNX file; export"),
    "no labels file": (remove("assets/labels.txt"), "labels.txt: not there; copy it"),
    "labels empty": (write("assets/labels.txt", ""), "labels.txt: no labels in it; write"),
    "labels of blank lines": (write("assets/labels.txt", "\n\n"), "labels.txt: no labels in it"),
    "labels of spaces": (write("assets/labels.txt", "  \n \n"), "labels.txt: label 0 (from 0) is blank; the place of"),
    "a blank label": (lines("labels.txt", lambda all_: [*all_[:3], "", *all_[3:]]), "label 3 (from 0) is blank"),
    "a label with a space": (
        lines("labels.txt", lambda all_: [*all_[:3], "I-x ", *all_[3:]]),
        "label 3 (from 0) is 'I-x '",
    ),
    "a label twice": (
        lines("labels.txt", lambda all_: [*all_, "O"]),
        "'O' is label 0 and label 12 (from 0); the place",
    ),
    "labels not UTF-8": (
        lambda folder: (folder / "assets" / "labels.txt").write_bytes(b"O\nB-\xe9"),
        "labels.txt: not UTF-8 (byte 4); save it as UTF-8",
    ),
    "too many labels": (
        write("assets/labels.txt", "\n".join(map(str, range(40_000)))),
        "labels.txt: 40,000 labels; a tag id holds 32,768",
    ),
    "labels in another order": (
        config_of([LABELS[0], LABELS[2], LABELS[1], *LABELS[3:]]),
        "label 1 (from 0) is 'B-DNA', and in config.json (`id2label`) 'I-DNA'; every tag would be another's",
    ),
    "fewer labels": (config_of(LABELS[:-1]), "12 labels, and config.json names 11 (`id2label`); write"),
    "labels by other numbers": (
        write("config.json", json.dumps({"id2label": {str(i + 1): label for i, label in enumerate(LABELS)}})),
        "label 0 (from 0) is 'O', and in config.json (`id2label`) None",
    ),
    "settings not JSON": (write("config.json", "{"), "config.json: not JSON (Expecting"),
    "settings nested": (write("config.json", "[" * 100_000), "config.json: not JSON (maximum recursion"),
    "settings no object": (write("tokenizer_config.json", "[]"), "tokenizer_config.json: not a JSON object"),
    "no vocabulary": (remove("assets/vocab.txt"), "vocab.txt: not there; copy it"),
    "vocabulary empty": (write("assets/vocab.txt", ""), "vocab.txt: no word pieces in it"),
    "a byte-level tokenizer": (
        put(("assets/vocab.txt", None), ("assets/merges.txt", "")),
        "merges.txt: a byte-level BPE tokenizer; of this layout only WordPiece",
    ),
    "a SentencePiece tokenizer": (
        put(("assets/vocab.txt", None), ("assets/spiece.model", "")),
        "spiece.model: a SentencePiece tokenizer",
    ),
    "a piece twice": (lines("vocab.txt", lambda all_: [*all_, "the"]), "'the' is word piece "),
    "a blank piece": (lines("vocab.txt", lambda all_: [*all_[:9], "", *all_[9:]]), "word piece 9 (from 0) is blank"),
    "a piece of white space": (lines("vocab.txt", lambda all_: [*all_, "\u3000"]), "word piece 600 (from 0) is blank"),
} | {
    f"no {piece}": (
        lines("vocab.txt", lambda all_, piece=piece: [one for one in all_ if one != piece]),
        f"no {piece} in",
    )
    for piece in ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
}


@pytest.mark.parametrize(("break_it", "message"), BROKEN.values(), ids=BROKEN)
def test_what_is_broken_is_named(assets, break_it, message):
    break_it(assets)
    with pytest.raises(ModelError) as caught:
        read_assets_layout(assets)
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(assets))
    assert "\n" not in str(caught.value)
