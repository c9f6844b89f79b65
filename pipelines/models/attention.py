"""Attention for CPUs: ONNX's own node, which ONNX Runtime computes faster there than the one that it fuses to."""

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper, version_converter

from pipelines.models.onnx_file import nodes_of

OPSET = 23
"""The first that has the node."""

FUSED, STANDARD = "MultiHeadAttention", "Attention"
"""ONNX Runtime's, and ONNX's."""

LARGEST_CONSTANT = 1024
"""Bytes; the converter reads axes and shapes, no weights."""

AXES, ONE = "attention_mask_axes", "attention_mask_one"


def use_standard_attention(model: onnx.ModelProto) -> int:
    """Replaces ONNX Runtime's MultiHeadAttention by ONNX's Attention, and its biases by sums before it.

    On CPUs the numbers are the same, bit by bit, in half the time. Padding is what the mask says of each piece, where
    the fused node knows only how many there are.

    A node is left as it is that does more than attend from pieces to those of the same window: whose biases are no
    constant, or whose mask is not counted from one of *shape* (windows, pieces). So is a graph that ONNX's converter
    cannot take to opset 23.

    Args:
        model: Of float32, or quantized; it is changed.

    Returns:
        How many were replaced.
    """
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    made_by = {output: node for node in model.graph.node for output in node.output}
    masks = {node.output[0]: mask for node in model.graph.node if (mask := _mask_of(node, made_by, constants))}
    if not masks or not _convert(model):
        return 0
    nodes: list[onnx.NodeProto] = []
    written: set[str] = set()
    for node in model.graph.node:
        mask = masks.get(node.output[0])
        if mask is None:
            nodes.append(node)
            continue
        if mask not in written:
            nodes += _mask_nodes(mask)
            written.add(mask)
        nodes += _replaced(node, mask, constants, model.graph)
    model.graph.initializer.extend(
        [numpy_helper.from_array(np.array(values), name) for name, values in ((AXES, [1, 2]), (ONE, [1]))]
    )
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    _drop_unused(model.graph)
    return len(masks)


def _mask_of(
    node: onnx.NodeProto, made_by: dict[str, onnx.NodeProto], constants: dict[str, onnx.TensorProto]
) -> str | None:
    """The mask of pieces whose sums a fused attention is given; None if there is none, or it has to stay."""
    if node.op_type != FUSED or any(node.output[1:]) or any(node.input[5:]) or len(node.input) < 5:
        return None
    bias = constants.get(node.input[3])
    if node.input[3] and (bias is None or len(bias.dims) != 1 or bias.dims[0] % 3):
        return None
    if not all(node.input[:3]) or any(one.name not in ("num_heads", "mask_filter_value") for one in node.attribute):
        return None
    count = made_by.get(node.input[4])
    return count.input[0] if count is not None and count.op_type == "ReduceSum" else None


def _mask_nodes(mask: str) -> Iterator[onnx.NodeProto]:
    """The mask as Attention takes it: *shape* (windows, 1, pieces, pieces), bool."""
    yield helper.make_node("Cast", [mask], [f"{mask}_kept"], to=TensorProto.BOOL)
    yield helper.make_node("Unsqueeze", [f"{mask}_kept", AXES], [f"{mask}_kept_of_all"])
    yield helper.make_node("Shape", [mask], [f"{mask}_pieces"], start=1, end=2)
    yield helper.make_node("Concat", [ONE, ONE, f"{mask}_pieces", ONE], [f"{mask}_shape"], axis=0)
    yield helper.make_node("Expand", [f"{mask}_kept_of_all", f"{mask}_shape"], [_of_pairs(mask)])


def _of_pairs(mask: str) -> str:
    return f"{mask}_of_pairs"


def _replaced(
    node: onnx.NodeProto, mask: str, constants: dict[str, onnx.TensorProto], graph: onnx.GraphProto
) -> Iterator[onnx.NodeProto]:
    heads = next(one.i for one in node.attribute if one.name == "num_heads")
    sides = list(node.input[:3])
    if node.input[3]:
        biases = np.split(numpy_helper.to_array(constants[node.input[3]]), 3)
        for place, (side, bias, what) in enumerate(zip(sides, biases, ("query", "key", "value"), strict=True)):
            name = f"{node.output[0]}_{what}"
            graph.initializer.append(numpy_helper.from_array(bias, f"{name}_bias"))
            yield helper.make_node("Add", [side, f"{name}_bias"], [name])
            sides[place] = name
    yield helper.make_node(
        STANDARD, [*sides, _of_pairs(mask)], node.output, name=node.name, q_num_heads=heads, kv_num_heads=heads
    )


def _convert(model: onnx.ModelProto) -> bool:
    """Takes the graph to the opset that has the node, if that can be.

    Its weights stay out of it: the converter copies what it gets, and cannot hold more than 2 GB.
    """
    graph, standard = model.graph, next(one for one in model.opset_import if one.domain in ("", "ai.onnx"))
    if standard.version >= OPSET:
        return True
    shells = [
        one
        if one.ByteSize() <= LARGEST_CONSTANT
        else TensorProto(name=one.name, dims=one.dims, data_type=one.data_type)
        for one in graph.initializer
    ]
    shell = onnx.GraphProto(
        name=graph.name, node=graph.node, input=graph.input, output=graph.output, initializer=shells
    )
    light = onnx.ModelProto(ir_version=model.ir_version, opset_import=model.opset_import, graph=shell)
    try:
        converted = version_converter.convert_version(light, OPSET)
    except (RuntimeError, version_converter.ConvertError):
        return False
    there = {one.name for one in graph.initializer}
    graph.initializer.extend(one for one in converted.graph.initializer if one.name not in there)
    del graph.node[:]
    graph.node.extend(converted.graph.node)
    standard.version = OPSET
    model.ir_version = max(
        model.ir_version, helper.find_min_ir_version_for(converted.opset_import, ignore_unknown=True)
    )
    return True


def _drop_unused(graph: onnx.GraphProto) -> None:
    """Drops what made the old masks, and the old biases."""
    needed = {output.name for output in graph.output}
    nodes = []
    for node in reversed(graph.node):
        if needed.isdisjoint(node.output):
            continue
        nodes.append(node)
        needed.update(name for one in nodes_of(onnx.GraphProto(node=[node])) for name in one.input)
    constants = [one for one in graph.initializer if one.name in needed]
    for field, kept in ((graph.node, nodes[::-1]), (graph.initializer, constants)):
        del field[:]
        field.extend(kept)
