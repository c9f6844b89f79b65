"""Makes a float32 graph one of int8, with scales that are fixed beforehand."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from actors.model_files import ModelError
from actors.onnx_session import Ids
from pipelines.models import onnx_file
from pipelines.models.attention import use_standard_attention
from pipelines.models.layer_norms import split_layer_norms
from pipelines.models.product_biases import fuse_biases
from pipelines.models.quiet import quiet


def quantize_graph(path: Path, windows: Sequence[Ids], folder: Path, scratch: Path) -> None:
    """Quantizes the products with weights to int8, all but the classifier's, and the word embeddings.

    The scales of the activations are fixed here, on `windows`, and not measured on each batch as in dynamic
    quantization: there a sentence's tags would depend on the sentences that it shares a batch with. Weights have 7
    bits, so that CPUs without VNNI, whose 16-bit sums would overflow, compute the same numbers as those with it.

    Args:
        path: A float32 graph; best a fused one, whose attention is one node.
        windows: What the ranges of the activations are measured on. *Shapes:* (pieces,).
        folder: Where the new graph is written.
        scratch: An empty folder.

    Raises:
        ModelError: The graph is not of float32, or has no products with weights.
    """
    model = onnx_file.load(path)
    if (precision := onnx_file.precision(model)) != "fp32":
        raise ModelError(f"{path}: is {precision} already; quantize the float32 model that it was made from")
    for number, node in enumerate(model.graph.node):
        node.name = node.name or f"{node.op_type}_{number}"
        if node.domain == "com.microsoft":  # the quantizer passes by what it does not know to be float
            model.graph.value_info.extend(
                helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in node.output if name
            )
    products = [node for node in model.graph.node if node.op_type == "MatMul"]
    weights = {tensor.name for tensor in model.graph.initializer}
    kept = _classifier(model.graph, weights)
    kept |= {node.name for node in products if not weights & set(node.input)}
    if not {node.name for node in products} - kept:
        raise ModelError(f"{path}: has no products with weights (MatMul) beside the classifier's: nothing to quantize")
    large = onnx_file.weight_bytes(model) >= onnx_file.LARGEST_FILE
    inputs = [one.name for one in model.graph.input]
    onnx_file.save(model, scratch)
    del model
    with quiet(logging.WARNING):  # the quantizer advises what was done, and speaks of each node that it passes by
        quantize_static(
            scratch / onnx_file.GRAPH,
            scratch / "quantized.onnx",
            _Windows(windows, inputs),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["MatMul"],
            nodes_to_exclude=sorted(kept),
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=True,
            use_external_data_format=large,
            extra_options={"OpTypesToExcludeOutputQuantization": ["MatMul"]},
        )
    model = onnx_file.load(scratch / "quantized.onnx")
    _quantize_embeddings(model.graph)
    use_standard_attention(model)  # of a graph that was not fused here, as the next
    split_layer_norms(model.graph)
    fuse_biases(model.graph)
    onnx_file.save(model, folder)


class _Windows(CalibrationDataReader):  # type: ignore[misc]
    """What the ranges of the activations are measured on, a batch of one each."""

    def __init__(self, windows: Sequence[Ids], inputs: Sequence[str]) -> None:
        self._windows = iter(windows)
        self._inputs = inputs

    def get_next(self) -> dict[str, Ids] | None:
        window = next(self._windows, None)
        if window is None:
            return None
        values = {"input_ids": window, "attention_mask": np.ones_like(window), "token_type_ids": np.zeros_like(window)}
        return {name: values[name][None] for name in self._inputs}


def _classifier(graph: onnx.GraphProto, weights: set[str]) -> set[str]:
    """The last products with weights before the outputs."""
    made_by = {output: node for node in graph.node for output in node.output}
    names, found, seen = [output.name for output in graph.output], set(), set()
    while names:
        node = made_by.get(names.pop())
        if node is None or node.name in seen:
            continue
        seen.add(node.name)
        if node.op_type in ("MatMul", "Gemm") and weights & set(node.input):
            found.add(node.name)
        else:
            names += node.input
    return found


def _quantize_embeddings(graph: onnx.GraphProto) -> None:
    """Replaces the largest table that is looked up, the word embeddings, by int8 rows with a scale each."""
    tables = {tensor.name: tensor for tensor in graph.initializer}
    lookups = [node for node in graph.node if node.op_type == "Gather" and node.input[0] in tables]
    lookups = [node for node in lookups if tables[node.input[0]].data_type == TensorProto.FLOAT]
    if not lookups:
        return
    lookup = max(lookups, key=lambda node: np.prod(tables[node.input[0]].dims))
    if sum(lookup.input[0] in node.input for node in graph.node) > 1:
        return  # something else needs the table as it is
    table = numpy_helper.to_array(tables[lookup.input[0]])
    scales = (np.maximum(np.abs(table).max(axis=1, keepdims=True), 1e-12) / 127).astype(np.float32)
    rows = np.round(table / scales).astype(np.int8)
    graph.initializer.remove(tables[lookup.input[0]])
    graph.initializer.extend(
        [numpy_helper.from_array(rows, "embedding_rows"), numpy_helper.from_array(scales, "embedding_scales")]
    )
    ids, output = lookup.input[1], lookup.output[0]
    at = list(graph.node).index(lookup)
    graph.node.remove(lookup)
    for offset, node in enumerate(
        (
            helper.make_node("Gather", ["embedding_rows", ids], ["embedding_int8"]),
            helper.make_node("Cast", ["embedding_int8"], ["embedding_unscaled"], to=TensorProto.FLOAT),
            helper.make_node("Gather", ["embedding_scales", ids], ["embedding_scale"]),
            helper.make_node("Mul", ["embedding_unscaled", "embedding_scale"], [output]),
        )
    ):
        graph.node.insert(at + offset, node)
