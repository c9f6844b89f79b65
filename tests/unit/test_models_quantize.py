"""`cytotag model quantize`: int8 with scales that are fixed beforehand."""

import json
import random
import shutil

import numpy as np
import onnx
import pytest

from actors.model_files import ModelError, ModelFiles
from actors.onnx_session import OnnxSession
from benchmarks.random_bert import LABELS, BertShape, save_model
from pipelines.light import LightPipeline
from pipelines.models import onnx_file
from pipelines.models.checks import check_folder
from pipelines.models.importing import import_model
from pipelines.models.model_manifest import ModelManifest
from pipelines.models.quantizing import quantize_model
from pipelines.pages.example_texts import EXAMPLE_TEXTS

SHAPE = BertShape(layers=2, hidden=32, heads=4, intermediate=64, vocabulary=1200, positions=128)


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    """Twenty documents: what is in the example texts, in another order."""
    sentences = [one for _, text in EXAMPLE_TEXTS for one in text.replace("\n", " ").split(". ")]
    path = tmp_path_factory.mktemp("texts") / "texts.jsonl"
    rng = random.Random(1)  # noqa: S311
    lines = [json.dumps({"text": ". ".join(rng.sample(sentences, 6))}) for _ in range(20)]
    path.write_text("\n".join(lines), encoding="utf-8")
    return str(path)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A graph of logits, and the imported one of tags."""
    folder = tmp_path_factory.mktemp("models")
    import_model(save_model(folder / "logits", SHAPE), folder / "tags")
    return folder


@pytest.fixture(scope="module")
def quantized(models, texts):
    return {kind: quantize_model(models / kind, models / f"{kind}-int8", [texts], sentences=50) for kind in KINDS}


KINDS = ("logits", "tags")


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_smaller_and_gives_nearly_the_same_tags(kind, quantized, models):
    done = quantized[kind]
    assert done.sentences == 50
    assert done.held_back
    assert done.words > 300
    assert 0.9 < done.equal <= 1
    assert done.bytes_after < 0.6 * done.bytes_before
    assert [one.problem for one in check_folder(models / f"{kind}-int8") if one.problem] == []
    manifest = ModelManifest.read(models / f"{kind}-int8")
    assert manifest.precision == "int8"
    assert "scales fixed on 50 sentences of" in manifest.done[-1]
    assert manifest.compared == {"words": done.words, "same_tag": done.equal, "held_back": True}


@pytest.mark.usefixtures("quantized")
def test_both_kinds_of_graphs_give_the_same_tags(models):
    first, second = (
        LightPipeline.from_pretrained(models / f"{kind}-int8").annotate([text for _, text in EXAMPLE_TEXTS])
        for kind in KINDS
    )
    spans = [
        {(number, one["start"], one["end"], one["entity"]) for number, text in enumerate(found) for one in text}
        for found in (first, second)
    ]
    assert len(spans[0]) > 20
    assert len(spans[0] & spans[1]) > 0.9 * len(spans[0] | spans[1])


@pytest.mark.usefixtures("quantized")
def test_the_history_of_an_imported_model_is_kept(models):
    before, after = (ModelManifest.read(models / name) for name in ("tags", "tags-int8"))
    assert after.done[:-1] == before.done
    assert (after.layout, after.origin) == ("Hugging Face, ONNX", str(models / "tags"))


@pytest.mark.usefixtures("quantized")
@pytest.mark.parametrize("kind", KINDS)
def test_a_sentence_does_not_depend_on_its_batch(kind, models):
    session = OnnxSession(models / f"{kind}-int8" / "model.onnx")
    ids = np.random.default_rng(3).integers(5, 1200, (6, 20))
    tag_ids, scores = session.run(ids)
    for row in range(len(ids)):
        alone = session.run(ids[row : row + 1])
        np.testing.assert_array_equal(alone[0][0], tag_ids[row])
        np.testing.assert_array_equal(alone[1][0], scores[row])


@pytest.mark.usefixtures("quantized")
def test_products_with_weights_are_quantized_and_the_classifier_is_not(models):
    graph = onnx.load(models / "tags-int8" / "model.onnx").graph
    kinds = [node.op_type for node in graph.node]
    assert kinds.count("MatMulIntegerToFloat") == 6 * SHAPE.layers
    (classifier,) = [node for node in graph.node if node.op_type == "MatMul"]
    assert any(tensor.name in classifier.input and len(LABELS) in tensor.dims for tensor in graph.initializer)
    rows = next(tensor for tensor in graph.initializer if tensor.name == "embedding_rows")
    assert (list(rows.dims), rows.data_type) == ([SHAPE.vocabulary, SHAPE.hidden], onnx.TensorProto.INT8)
    weights = [
        onnx.numpy_helper.to_array(t) for t in graph.initializer if t.data_type == onnx.TensorProto.INT8 and t != rows
    ]
    assert max(np.abs(one.astype(int)).max() for one in weights if one.ndim == 2) <= 64  # 7 bits


def test_weights_beside_the_graph(models, texts, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_file, "LARGEST_FILE", 50_000)  # as if 2 GB were less
    done = quantize_model(models / "tags", tmp_path / "large", [texts], sentences=20)
    assert (tmp_path / "large" / "model.onnx.data").is_file()
    assert done.equal > 0.9
    assert [one.problem for one in check_folder(tmp_path / "large") if one.problem] == []


def test_few_documents_are_their_own_measure(models, tmp_path):
    (tmp_path / "one.txt").write_text("IL-2 binds the receptor. It is a gene.", encoding="utf-8")
    done = quantize_model(models / "tags", tmp_path / "made", [str(tmp_path / "one.txt")], sentences=20)
    assert (done.sentences, done.held_back) == (2, False)


def half(folder):
    model = onnx.load(folder / "model.onnx")
    from onnxruntime.transformers.float16 import convert_float_to_float16

    onnx.save(convert_float_to_float16(model, keep_io_types=True), folder / "model.onnx")


@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [("tags-int8", None, "is int8 already"), ("logits", half, "is fp16 already")],
)
@pytest.mark.usefixtures("quantized")
def test_what_is_not_float32_is_refused(kind, change, message, models, texts, tmp_path):
    folder = shutil.copytree(models / kind, tmp_path / "source")
    if change:
        change(folder)
    with pytest.raises(ModelError, match=message):
        quantize_model(folder, tmp_path / "made", [texts], sentences=20)
    assert not (tmp_path / "made").exists()


def test_nothing_to_quantize(model_folder, texts, tmp_path):
    with pytest.raises(ModelError, match="nothing to quantize"):
        quantize_model(model_folder(), tmp_path / "made", [texts], sentences=20)


def test_the_command(cytotag, models, texts, tmp_path):
    code, out, err = cytotag("model", "quantize", models / "tags", tmp_path / "made", "--calibration", texts)
    assert (code, out) == (0, "")
    for part in ("int8, 0.1 MB of 0.3 MB", "scales fixed on 96 sentences; that is few", "words of held-back documents"):
        assert part in err, err
    assert ModelFiles.from_pretrained(tmp_path / "made").labels == LABELS
    code, _, err = cytotag("model", "quantize", models / "tags", tmp_path / "other")
    assert (code, "--calibration" in err) == (2, True)
    (tmp_path / "empty.txt").write_text(" ", encoding="utf-8")
    code, _, err = cytotag(
        "model", "quantize", models / "tags", tmp_path / "other", "--calibration", tmp_path / "empty.txt"
    )
    assert (code, "no text in it" in err) == (1, True), err
