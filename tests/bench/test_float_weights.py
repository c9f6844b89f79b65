"""The floats of a graph are its weights, in torch as in ONNX Runtime."""

import numpy as np
import onnx
import pytest
import torch
from transformers import AutoModelForTokenClassification

from actors.model_files import EMBEDDED_MODEL, ModelError
from actors.onnx_session import OnnxSession
from benchmarks.float_weights import read_weights, save_float_weights
from pipelines.models.importing import import_model
from pipelines.models.quantizing import quantize_model


def torch_logits(folder, ids):
    model, loaded = AutoModelForTokenClassification.from_pretrained(folder, output_loading_info=True)
    assert not loaded["missing_keys"]
    assert not loaded["unexpected_keys"]
    with torch.inference_mode():
        tensor = torch.from_numpy(ids)
        return model.eval()(input_ids=tensor, attention_mask=torch.ones_like(tensor)).logits.numpy()


def same_tags(folder, weights, ids):
    """That the folder's graph gives the tags and, within 0.0001, the scores that torch gives."""
    tag_ids, scores = OnnxSession(folder / "model.onnx").run(ids)
    logits = torch_logits(weights, ids)
    probabilities = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probabilities /= probabilities.sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(scores, probabilities.max(axis=-1), atol=1e-4)
    np.testing.assert_array_equal(tag_ids, logits.argmax(axis=-1))


def test_torch_gives_the_logits_of_the_graph(random_model, random_pair):
    ids = np.random.default_rng(1).integers(5, 600, (4, 50))
    [logits] = OnnxSession(random_model / "model.onnx").infer(ids)
    np.testing.assert_allclose(torch_logits(random_pair[0], ids), logits, atol=1e-4)


def test_the_model_imported_of_random_weights_gives_their_tags(random_pair):
    weights, float32 = random_pair
    same_tags(float32, weights, np.random.default_rng(2).integers(5, 600, (4, 50)))


def test_the_model_imported_of_the_embedded_weights_gives_their_tags(embedded_pair):
    weights, float32 = embedded_pair
    same_tags(float32, weights, np.random.default_rng(3).integers(1000, 30000, (4, 50)))


def test_the_embedded_floats_are_near_what_the_int8_graph_computes(embedded_pair):
    ids = np.random.default_rng(4).integers(1000, 30000, (4, 50))
    session = OnnxSession(EMBEDDED_MODEL / "model.onnx")
    logits = torch_logits(embedded_pair[0], ids)
    tags = session.run(ids)[0] if len(session.infer(ids)) == 2 else session.infer(ids)[0].argmax(axis=-1)
    assert (tags == logits.argmax(axis=-1)).mean() > 0.85  # activations of 8 bits, on pieces drawn at random


def test_int8_weights_are_the_float_ones_but_for_the_rounding(random_model, tmp_path):
    import_model(random_model, tmp_path / "float32")
    quantize_model(tmp_path / "float32", tmp_path / "int8", ["docs/demo/abstracts.jsonl"], sentences=20)
    exact = read_weights(onnx.load(random_model / "model.onnx").graph)
    rounded = read_weights(onnx.load(tmp_path / "int8" / "model.onnx").graph)
    assert rounded.keys() == exact.keys()
    changed = {name for name, weight in exact.items() if not np.array_equal(weight, rounded[name])}
    products = {name for name in exact if ".layer." in name and name.endswith(".weight") and "Norm" not in name}
    assert changed == {*products, "bert.embeddings.word_embeddings.weight"}
    for name in changed:
        steps = 127 if "embeddings" in name else 63  # products have 7 bits
        largest = np.abs(exact[name]).max(axis=1, keepdims=True)
        assert (np.abs(exact[name] - rounded[name]) <= 0.51 * largest / steps).all(), name


def test_another_graph_is_refused(random_model, tmp_path):
    model = onnx.load(random_model / "model.onnx")
    for node in model.graph.node:
        node.name = node.name.replace("query", "asked")
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(ModelError, match=r"no bert\.encoder\.layer\.0\.attention\.self\.query\.weight, 2 missing"):
        save_float_weights(tmp_path, tmp_path / "weights")
