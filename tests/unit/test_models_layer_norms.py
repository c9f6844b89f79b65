"""Layer normalisations in other nodes: the same numbers."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from pipelines.models.layer_norms import split_layer_norms

WIDTH = 24
RANDOM = np.random.default_rng(5)
VECTORS = {name: RANDOM.normal(size=WIDTH).astype(np.float32) for name in ("scale", "shift", "bias")}
FEEDS = {name: RANDOM.normal(3, 2, size=(2, 5, WIDTH)).astype(np.float32) for name in ("x", "skip")}


def graph_of(node, outputs, opset=17):
    graph = helper.make_graph(
        [node],
        "one",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, None, WIDTH]) for name in FEEDS],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None] * 3) for name in outputs],
        [numpy_helper.from_array(values, name) for name, values in VECTORS.items()],
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def computed(model):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {port.name: FEEDS[port.name] for port in session.get_inputs()})


def skip_node(inputs, outputs, **attributes):
    return helper.make_node("SkipLayerNormalization", inputs, outputs, domain="com.microsoft", **attributes)


@pytest.mark.parametrize(
    ("node", "outputs"),
    [
        (helper.make_node("LayerNormalization", ["x", "scale", "shift"], ["y"], axis=-1, epsilon=1e-12), ["y"]),
        (helper.make_node("LayerNormalization", ["x", "scale", "shift"], ["y"], epsilon=0.3), ["y"]),
        (helper.make_node("LayerNormalization", ["x", "scale"], ["y"]), ["y"]),
        (skip_node(["x", "skip", "scale", "shift"], ["y"], epsilon=1e-12), ["y"]),
        (skip_node(["x", "skip", "scale"], ["y"]), ["y"]),
        (skip_node(["x", "skip", "scale", "shift", "bias"], ["y"], epsilon=0.3), ["y"]),
        (skip_node(["x", "skip", "scale", "", "bias"], ["y"], epsilon=1e-5), ["y"]),
        (skip_node(["x", "skip", "scale", "shift", "bias"], ["y", "", "", "sum"], epsilon=1e-12), ["y", "sum"]),
    ],
)
def test_the_numbers_are_the_same(node, outputs):
    model = graph_of(node, outputs)
    before = computed(model)
    assert split_layer_norms(model.graph) == 1
    onnx.checker.check_model(model)
    assert "InstanceNormalization" in {one.op_type for one in model.graph.node}
    for mine, theirs in zip(computed(model), before, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize(
    ("node", "outputs"),
    [
        (helper.make_node("LayerNormalization", ["x", "scale", "shift"], ["y", "mean"]), ["y", "mean"]),
        (helper.make_node("LayerNormalization", ["x", "skip", "skip"], ["y"], axis=1), ["y"]),
        (helper.make_node("LayerNormalization", ["x", "skip", "skip"], ["y"]), ["y"]),
        (helper.make_node("Add", ["x", "scale"], ["y"]), ["y"]),
        (helper.make_node("Relu", ["x"], ["y"]), ["y"]),
    ],
)
def test_what_is_more_than_that_stays(node, outputs):
    model = graph_of(node, outputs)
    before = model.SerializeToString()
    assert split_layer_norms(model.graph) == 0
    assert model.SerializeToString() == before
