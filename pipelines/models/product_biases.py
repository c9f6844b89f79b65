"""int8 products and the biases behind them, in one node."""

from collections import Counter

import onnx
from onnx import helper

PRODUCT = "MatMulIntegerToFloat"
"""ONNX Runtime's product of bytes to floats (com.microsoft): it has room for a bias."""


def fuse_biases(graph: onnx.GraphProto) -> int:
    """Gives a quantized product with weights its bias, where one comes behind it.

    ONNX Runtime makes the same node of `DequantizeLinear` and `MatMul` when it loads a graph, but leaves the bias
    behind it: another pass over all the numbers, and a GELU that takes its own bias (`BiasGelu`) is slower by half than
    `Gelu`. The sums are the same, bit by bit.

    A product is left as it is whose result something else needs as well, or that has no constant bias of one dimension.

    Args:
        graph: As the quantizer leaves it (QDQ); it is changed.

    Returns:
        How many have got theirs.
    """
    constants = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    made_by = {output: node for node in graph.node for output in node.output}
    uses = Counter(name for node in graph.node for name in node.input)
    uses.update(output.name for output in graph.output)
    fused: dict[str, onnx.NodeProto] = {}
    for node in graph.node:
        biased = next((number for number, name in enumerate(node.input) if len(constants.get(name, ())) == 1), None)
        if node.op_type not in ("Add", "BiasGelu") or biased is None or len(node.input) != 2:
            continue
        product = node.input[1 - biased]
        sides = _dequantized(made_by.get(product), made_by)
        if not sides or uses[product] > 1 or constants.get(sides[1].input[0], ())[1:] != constants[node.input[biased]]:
            continue
        output = node.output[0] if node.op_type == "Add" else product
        ordered = [side.input[place] for place in range(3) for side in sides]
        fused[product] = helper.make_node(
            PRODUCT, [*ordered, node.input[biased]], [output], name=made_by[product].name, domain="com.microsoft"
        )
        if node.op_type == "BiasGelu":
            node.op_type = "Gelu"
            del node.input[:]
            node.input.append(product)
    if fused:
        _replace(graph, fused)
    return len(fused)


def _dequantized(
    product: onnx.NodeProto | None, made_by: dict[str, onnx.NodeProto]
) -> tuple[onnx.NodeProto, onnx.NodeProto] | None:
    """The nodes that make floats of both sides of a product, where that is what it is of."""
    if product is None or product.op_type != "MatMul":
        return None
    left, right = (made_by.get(name) for name in product.input)
    if left is None or right is None or any(len(side.input) != 3 for side in (left, right)):
        return None
    return (left, right) if left.op_type == right.op_type == "DequantizeLinear" else None


def _replace(graph: onnx.GraphProto, fused: dict[str, onnx.NodeProto]) -> None:
    """Puts the new nodes in the place of the products, and drops the sums and whatever nothing needs any more."""
    sums = {one.output[0] for name, one in fused.items() if one.output[0] != name}
    nodes = [fused.get(node.output[0], node) for node in graph.node if node.output[0] not in sums]
    needed = {name for node in nodes for name in node.input} | {output.name for output in graph.output}
    nodes = [node for node in nodes if node.op_type != "DequantizeLinear" or node.output[0] in needed]
    del graph.node[:]
    graph.node.extend(nodes)
