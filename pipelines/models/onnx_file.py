"""ONNX files, read and written whole, with the weights that stand beside them where they are too large for one."""

from collections.abc import Iterator
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError, EncodeError
from onnx import TensorProto

from actors.model_files import ModelError, first_line

LARGEST_FILE = 2**31 - 2**20
"""Bytes: protobuf can hold no more in one message."""
GRAPH = "model.onnx"
WEIGHTS = "model.onnx.data"

DYNAMIC = frozenset({"DynamicQuantizeLinear", "DynamicQuantizeMatMul"})
INT8 = DYNAMIC | {
    *("DequantizeLinear", "MatMulInteger", "MatMulIntegerToFloat", "MatMulNBits", "QAttention", "GatherBlockQuantized")
}
HALF = {TensorProto.FLOAT16: "fp16", TensorProto.BFLOAT16: "bf16"}


def load(path: Path, *, with_weights: bool = True) -> onnx.ModelProto:
    """Reads a graph.

    Args:
        path: The ONNX file.
        with_weights: Whether those in files beside it are wanted too; their shapes are known without.

    Raises:
        ModelError: It is not an ONNX file, or weights beside it are missing.
    """
    try:
        model = onnx.load(path, load_external_data=with_weights)
    except (DecodeError, EncodeError):
        raise ModelError(f"{path}: not an ONNX file; export the model again") from None
    except (OSError, ValueError, onnx.checker.ValidationError) as error:
        raise ModelError(
            f"{path}: cannot be read with its weights ({first_line(error)}); put the files that it names beside it"
        ) from None
    if not model.graph.node:
        raise ModelError(f"{path}: a graph without nodes, so not an ONNX model; export the model again")
    return model


def save(model: onnx.ModelProto, folder: Path) -> None:
    """Writes a graph as `model.onnx`, and its weights beside it where one file cannot hold both."""
    if weight_bytes(model) < LARGEST_FILE:
        onnx.save(model, folder / GRAPH)
    else:
        onnx.save(model, folder / GRAPH, save_as_external_data=True, all_tensors_to_one_file=True, location=WEIGHTS)


def weight_bytes(model: onnx.ModelProto) -> int:
    """What the weights of a graph that was read whole take."""
    return sum(len(tensor.raw_data) or tensor.ByteSize() for tensor in model.graph.initializer)


def precision(model: onnx.ModelProto) -> str:
    """What the graph computes with: "int8" where anything does, else "fp16" or "bf16", else "fp32"."""
    if any(node.op_type in INT8 for node in nodes_of(model.graph)):
        return "int8"
    kinds = {tensor.data_type for tensor in model.graph.initializer}
    return next((name for kind, name in HALF.items() if kind in kinds), "fp32")


def depends_on_batch(model: onnx.ModelProto) -> bool:
    """Whether scales are measured on each batch as it comes, so that a sentence's tags depend on its neighbours."""
    return any(node.op_type in DYNAMIC for node in nodes_of(model.graph))


def nodes_of(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """All nodes, those of the branches of an If or the body of a Loop too."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from nodes_of(attribute.g)
