"""The weights of an ONNX BERT as a folder of transformers, so that others run the very numbers that we run.

An int8 graph gives its weights as the floats that they stand for: the products' times their scales, the embedding rows
times theirs. What it does to the activations stays behind, so those floats give other logits than the int8 graph does.
`cytotag model import` makes our own float32 model of the same folder.

    python -m benchmarks.float_weights SOURCE TARGET
"""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import onnx
import typer
from onnx import helper, numpy_helper
from safetensors.numpy import save_file

from actors.model_files import ModelError, read_json
from pipelines.models.attention import FUSED, STANDARD
from pipelines.models.product_biases import PRODUCT as WITH_BIAS

Array = npt.NDArray[Any]

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "vocab.txt")
PARAMETER = re.compile(r"(?:^|\.)((?:bert|classifier)(?:\.\w+)*\.(?:weight|bias))$")
"""What exporters leave of a parameter's name, a prefix of the module that was exported before it or not."""
PRODUCT = re.compile(r"(?:^|/)((?:bert|classifier)(?:/.+)?)/MatMul$")
NORMS = ("LayerNormalization", "InstanceNormalization")
"""The embeddings' own, and what quantization makes of it (`pipelines.models.layer_norms`)."""
ATTENTION = {FUSED: "num_heads", STANDARD: "q_num_heads"}
"""ONNX Runtime's node and ONNX's, and where they have the number of heads."""
NOT_KEPT = ("tag_policy", "threshold")
"""Other programs know nothing of them; without, ours makes of stray tags what theirs do (`pipelines.tag_schemes`)."""


def save_float_weights(source: Path, target: Path) -> Path:
    """Makes a folder of transformers: weights, settings and tokenizer.

    The tokenizer may use all positions that the model has: what is longer, transformers cuts off and we do not.

    Args:
        source: A model folder with a BERT as ONNX graph, float32 or int8, fused or not.
        target: The folder to make; files of these names in it are replaced.

    Returns:
        `target`.

    Raises:
        ModelError: The graph is no BERT whose weights are known by name, or its heads are not known.
    """
    graph = onnx.load(source / "model.onnx").graph
    weights = read_weights(graph)
    config = read_json(source / "config.json")
    config = {name: value for name, value in config.items() if name not in NOT_KEPT} | sizes(graph, weights)
    if "num_attention_heads" not in config:
        raise ModelError(
            f"{source}: neither config.json nor the graph says how many heads it has; add num_attention_heads"
        )
    target.mkdir(parents=True, exist_ok=True)
    save_file(weights, target / "model.safetensors", metadata={"format": "pt"})
    (target / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    for name in TOKENIZER_FILES:
        if (source / name).is_file():
            shutil.copyfile(source / name, target / name)
    settings = read_json(source / "tokenizer_config.json") | {"model_max_length": config["max_position_embeddings"]}
    (target / "tokenizer_config.json").write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")
    return target


def read_weights(graph: onnx.GraphProto) -> dict[str, Array]:
    """The parameters of `BertForTokenClassification` by name, float32.

    Raises:
        ModelError: One is missing.
    """
    weights = {name: np.ascontiguousarray(value, dtype=np.float32) for name, value in _parameters(graph)}
    layers = sum(name.endswith(".intermediate.dense.weight") for name in weights)
    if missing := sorted(_names(layers) - weights.keys()):
        raise ModelError(
            f"the graph is no BERT whose weights are known by name: no {missing[0]}, {len(missing)} missing"
        )
    return {name: weights[name] for name in sorted(_names(layers))}


def sizes(graph: onnx.GraphProto, weights: dict[str, Array]) -> dict[str, Any]:
    """What `BertConfig` has to be told: sizes from the shapes, heads and the epsilon from the nodes."""
    vocabulary, hidden = weights["bert.embeddings.word_embeddings.weight"].shape
    norm = next(node for node in graph.node if node.op_type in NORMS)
    found: dict[str, Any] = {
        "architectures": ["BertForTokenClassification"],
        "model_type": "bert",
        "hidden_act": "gelu",
        "hidden_size": hidden,
        "intermediate_size": len(weights["bert.encoder.layer.0.intermediate.dense.bias"]),
        "layer_norm_eps": float(f"{_attribute(norm, 'epsilon'):.6g}"),  # a float32
        "max_position_embeddings": len(weights["bert.embeddings.position_embeddings.weight"]),
        "num_hidden_layers": sum(name.endswith(".intermediate.dense.weight") for name in weights),
        "type_vocab_size": len(weights["bert.embeddings.token_type_embeddings.weight"]),
        "vocab_size": vocabulary,
    }
    heads = {_attribute(node, ATTENTION[node.op_type]) for node in graph.node if node.op_type in ATTENTION}
    return found | ({"num_attention_heads": heads.pop()} if heads else {})


def _parameters(graph: onnx.GraphProto) -> Iterator[tuple[str, Array]]:
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    made_by = {output: node for node in graph.node for output in node.output}
    for name, value in values.items():
        if found := PARAMETER.search(name):
            yield found[1], value
    if "embedding_rows" in values:  # as pipelines/models/quantization.py leaves them
        rows = values["embedding_rows"].astype(np.float32)
        yield "bert.embeddings.word_embeddings.weight", rows * values["embedding_scales"]
    for node in graph.node:
        if found := PRODUCT.search(node.name):
            weight = _weight(node, values, made_by)
            if weight is not None:
                yield f"{found[1].replace('/', '.')}.weight", weight.T  # torch has it turned round
        if node.op_type in ATTENTION:
            yield from _attention_biases(node, values, made_by)


def _attention_biases(
    node: onnx.NodeProto, values: dict[str, Array], made_by: dict[str, onnx.NodeProto]
) -> Iterator[tuple[str, Array]]:
    """Those of queries, keys and values: in the node, in the products' nodes, or in sums between them."""
    together = node.input[3] if node.op_type == FUSED else ""
    for place, side in enumerate(node.input[:3]):
        product, bias = made_by[side], None
        if together in values:
            bias = np.split(values[together], 3)[place]
        elif product.op_type == "Add":
            constant, side = sorted(product.input, key=lambda name: name not in values)
            product, bias = made_by[side], values.get(constant)
        elif product.op_type == WITH_BIAS:
            bias = values.get(product.input[-1])
        found = PRODUCT.search(product.name)
        if found and bias is not None:
            yield f"{found[1].replace('/', '.')}.bias", bias


def _weight(product: onnx.NodeProto, values: dict[str, Array], made_by: dict[str, onnx.NodeProto]) -> Array | None:
    """What a product multiplies by: a constant, or the floats that its int8 stands for; None for what is computed."""
    name = product.input[1]
    if name in values and product.op_type != WITH_BIAS:
        return values[name]
    names = product.input[1:6:2] if product.op_type == WITH_BIAS else _dequantized(made_by.get(name))
    if not names or names[0] not in values:
        return None
    quantized, scale, zero = (values[one] for one in names)
    return (quantized.astype(np.float32) - zero.astype(np.float32)) * scale  # a scale a column, or one for all


def _dequantized(node: onnx.NodeProto | None) -> list[str]:
    return list(node.input) if node is not None and node.op_type == "DequantizeLinear" else []


def _attribute(node: onnx.NodeProto, name: str, default: Any = None) -> Any:
    return next((helper.get_attribute_value(one) for one in node.attribute if one.name == name), default)


def _names(layers: int) -> set[str]:
    inside = ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense")
    inside += ("attention.output.LayerNorm", "intermediate.dense", "output.dense", "output.LayerNorm")
    modules = {f"bert.encoder.layer.{layer}.{name}" for layer in range(max(layers, 1)) for name in inside}
    modules |= {"bert.embeddings.LayerNorm", "classifier"}
    tables = {f"bert.embeddings.{name}_embeddings.weight" for name in ("word", "position", "token_type")}
    return tables | {f"{module}.{kind}" for module in modules for kind in ("weight", "bias")}


def _main(
    source: Annotated[Path, typer.Argument(help="A model folder with a BERT as ONNX graph.")],
    target: Annotated[Path, typer.Argument(help="The folder to make.")],
) -> None:
    save_float_weights(source, target)


if __name__ == "__main__":
    typer.run(_main)
