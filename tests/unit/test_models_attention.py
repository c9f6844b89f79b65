"""Attention as ONNX's node: the same numbers, bit by bit."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from pipelines.models import attention
from pipelines.models.attention import FUSED, OPSET, STANDARD, use_standard_attention

HEADS, WIDTH = 3, 24
RANDOM = np.random.default_rng(7)
MASK = np.array([[1] * 6, [1] * 4 + [0] * 2, [1] + [0] * 5])
FEEDS = {name: RANDOM.normal(size=(*MASK.shape, WIDTH)).astype(np.float32) for name in "qkv"} | {"mask": MASK}
CONSTANTS = {
    "biases": RANDOM.normal(size=3 * WIDTH).astype(np.float32),
    "heavy": RANDOM.normal(size=(WIDTH, WIDTH)).astype(np.float32),
    "axes": np.array([1]),
    "table": RANDOM.normal(size=(1, HEADS, MASK.shape[1], MASK.shape[1])).astype(np.float32),
}


def fused(inputs=("q", "k", "v", "biases", "count"), outputs=("y",), **attributes):
    return helper.make_node(FUSED, inputs, outputs, domain="com.microsoft", **{"num_heads": HEADS} | attributes)


def model_of(*nodes, opset=17):
    """A graph that counts the pieces of each window, multiplies what comes out, and gives the scores in the end."""
    counted = [
        helper.make_node("Cast", ["mask"], ["mask_int32"], to=TensorProto.INT32),
        helper.make_node("ReduceSum", ["mask_int32", "axes"], ["count"], keepdims=0),
    ]
    after = [
        helper.make_node("MatMul", ["y", "heavy"], ["product"]),
        helper.make_node("ReduceMax", ["product"], ["most"], axes=[-1], keepdims=0),
    ]
    graph = helper.make_graph(
        [*counted, *nodes, *after],
        "one",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, None, WIDTH]) for name in "qkv"]
        + [helper.make_tensor_value_info("mask", TensorProto.INT64, [None, None])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [None] * rank)
            for name, rank in (("y", 3), ("most", 2))
        ],
        [numpy_helper.from_array(values, name) for name, values in CONSTANTS.items()],
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    helper.set_model_props(model, {"label_count": "11"})
    return model


def computed(model, **feeds):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {port.name: (FEEDS | feeds)[port.name] for port in session.get_inputs()})


@pytest.mark.parametrize(
    "node",
    [
        fused(),
        fused(("q", "k", "v", "", "count")),
        fused(mask_filter_value=-1e9),
        fused(("q", "q", "q", "biases", "count")),
    ],
)
@pytest.mark.parametrize("opset", [13, 17])
@pytest.mark.parametrize("windows", [slice(None), slice(1)])
def test_the_numbers_are_the_same_and_so_is_what_stands_around(node, opset, windows):
    model = model_of(node, opset=opset)
    feeds = {name: value[windows] for name, value in FEEDS.items()}
    before = computed(model, **feeds)
    assert use_standard_attention(model) == 1
    onnx.checker.check_model(model)
    kinds = [one.op_type for one in model.graph.node]
    assert (kinds.count(STANDARD), kinds.count(FUSED)) == (1, 0)
    assert "ReduceSum" not in kinds  # nothing needs the count
    assert "biases" not in {one.name for one in model.graph.initializer}
    for mine, theirs in zip(computed(model, **feeds), before, strict=True):
        kept = feeds["mask"].astype(bool)
        np.testing.assert_array_equal(mine[kept], theirs[kept])
    assert {one.key: one.value for one in model.metadata_props} == {"label_count": "11"}


def test_a_mask_with_holes_hides_what_is_in_them():
    model = model_of(fused())
    use_standard_attention(model)
    holes = np.array([[1, 0, 1, 1, 0, 1]] * 3)
    changed = {name: np.where(holes[..., None] == 0, np.float32(9), FEEDS[name]) for name in "kv"}
    for one, other in zip(computed(model, mask=holes), computed(model, mask=holes, **changed), strict=True):
        np.testing.assert_array_equal(one, other)


def test_layers_share_one_mask():
    model = model_of(fused(outputs=["first"]), fused(("first", "first", "first", "biases", "count")))
    before = computed(model)
    assert use_standard_attention(model) == 2
    assert sum(node.op_type == "Expand" for node in model.graph.node) == 1
    np.testing.assert_array_equal(computed(model)[0][0], before[0][0])


def test_what_only_the_branch_of_an_if_needs_stays():
    model = model_of(fused())
    branches = {
        name: helper.make_graph(
            [helper.make_node(kind, ["count"], [name])],
            name,
            [],
            [helper.make_tensor_value_info(name, TensorProto.INT32, [None])],
        )
        for name, kind in (("then_branch", "Identity"), ("else_branch", "Neg"))
    }
    model.graph.node.append(helper.make_node("If", ["always"], ["chosen"], **branches))
    model.graph.initializer.append(numpy_helper.from_array(np.array(True), "always"))
    model.graph.output.append(helper.make_tensor_value_info("chosen", TensorProto.INT32, [None]))
    assert use_standard_attention(model) == 1
    np.testing.assert_array_equal(computed(model)[-1], MASK.sum(axis=1))


def test_a_graph_of_that_opset_is_not_converted(monkeypatch):
    model = model_of(fused(), opset=17)
    del model.graph.node[-1]  # of an older opset
    del model.graph.output[-1]
    model.opset_import[0].version, model.ir_version = OPSET, 11
    monkeypatch.setattr(attention, "version_converter", None)
    before = computed(model)
    assert use_standard_attention(model) == 1
    np.testing.assert_array_equal(computed(model)[0][0], before[0][0])


@pytest.mark.parametrize(
    "nodes",
    [
        [fused(("q", "k", "v"))],
        [fused(("q", "k", "v", "biases", "mask"))],
        [fused(("q", "k", "v", "", "count", "table"))],
        [fused(("q", "k", "v", "made", "count")), helper.make_node("Identity", ["biases"], ["made"])],
        [fused(unidirectional=1)],
        [fused(scale=0.5)],
        [helper.make_node("Relu", ["q"], ["y"])],
        [fused(), helper.make_node("NobodyKnowsIt", ["q"], ["other"])],  # nor can the converter
    ],
)
def test_what_is_more_than_that_stays(nodes):
    model = model_of(*nodes)
    before = model.SerializeToString()
    assert use_standard_attention(model) == 0
    assert model.SerializeToString() == before
