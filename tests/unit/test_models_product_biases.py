"""Biases in the node of their int8 product: the same bits."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from pipelines.models.product_biases import fuse_biases

INNER, OUTER = 16, 8
RANDOM = np.random.default_rng(7)
CONSTANTS = {
    "weight": RANDOM.integers(-64, 64, (INNER, OUTER)).astype(np.int8),
    "weight_scale": RANDOM.uniform(0.01, 0.1, OUTER).astype(np.float32),
    "weight_zero": np.zeros(OUTER, np.int8),
    "x_scale": np.float32(0.03),
    "x_zero": np.uint8(120),
    "bias": RANDOM.normal(size=OUTER).astype(np.float32),
    "one": RANDOM.normal(size=1).astype(np.float32),
    "rows": RANDOM.normal(size=(5, OUTER)).astype(np.float32),
}
PRODUCT = [
    helper.make_node("QuantizeLinear", ["x", "x_scale", "x_zero"], ["x_bytes"]),
    helper.make_node("DequantizeLinear", ["x_bytes", "x_scale", "x_zero"], ["x_floats"]),
    helper.make_node("DequantizeLinear", ["weight", "weight_scale", "weight_zero"], ["weight_floats"], axis=1),
    helper.make_node("MatMul", ["x_floats", "weight_floats"], ["product"], name="/dense/MatMul"),
]


def graph_of(nodes, outputs=("y",)):
    graph = helper.make_graph(
        [*PRODUCT, *nodes],
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 5, INNER])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None] * 3) for name in outputs],
        [numpy_helper.from_array(np.asarray(values), name) for name, values in CONSTANTS.items()],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def computed(model):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": np.random.default_rng(3).normal(0, 2, (3, 5, INNER)).astype(np.float32)})


def kinds(model):
    return [node.op_type for node in model.graph.node]


@pytest.mark.parametrize(
    ("nodes", "after"),
    [
        ([helper.make_node("Add", ["product", "bias"], ["y"])], []),
        ([helper.make_node("Add", ["bias", "product"], ["y"])], []),
        ([helper.make_node("BiasGelu", ["product", "bias"], ["y"], domain="com.microsoft")], ["Gelu"]),
        (
            [helper.make_node("Add", ["product", "bias"], ["sum"]), helper.make_node("Add", ["sum", "rows"], ["y"])],
            ["Add"],
        ),
    ],
    ids=["sum", "the other way round", "GELU", "a sum behind it"],
)
def test_the_bits_are_the_same(nodes, after):
    model = graph_of(nodes)
    before = computed(model)
    assert fuse_biases(model.graph) == 1
    onnx.checker.check_model(model)
    assert kinds(model) == ["QuantizeLinear", "MatMulIntegerToFloat", *after]
    assert next(node.name for node in model.graph.node if node.op_type == "MatMulIntegerToFloat") == "/dense/MatMul"
    np.testing.assert_array_equal(computed(model), before)


@pytest.mark.parametrize(
    ("nodes", "outputs"),
    [
        ([helper.make_node("Add", ["product", "bias"], ["y"]), helper.make_node("Relu", ["product"], ["z"])], "yz"),
        ([helper.make_node("Add", ["product", "bias"], ["y"])], ["y", "product"]),
        ([helper.make_node("Add", ["product", "one"], ["y"])], "y"),
        ([helper.make_node("Add", ["product", "rows"], ["y"])], "y"),
        ([helper.make_node("Mul", ["product", "bias"], ["y"])], "y"),
        ([helper.make_node("Relu", ["product"], ["z"]), helper.make_node("Add", ["z", "bias"], ["y"])], "y"),
        ([helper.make_node("BiasGelu", ["product", "bias"], ["y"], domain="com.microsoft")], ["y", "product"]),
    ],
    ids=["used twice", "an output too", "one number", "a matrix", "no sum", "something between", "GELU, used twice"],
)
def test_what_is_more_than_that_stays(nodes, outputs):
    model = graph_of(nodes, outputs)
    before = model.SerializeToString()
    assert fuse_biases(model.graph) == 0
    assert model.SerializeToString() == before


def test_a_product_of_floats_stays():
    model = graph_of([helper.make_node("Add", ["product", "bias"], ["y"])])
    product = next(node for node in model.graph.node if node.op_type == "MatMul")
    product.input[0] = "x"
    assert fuse_biases(model.graph) == 0
    assert "MatMul" in kinds(model)
