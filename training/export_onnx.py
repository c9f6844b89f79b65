"""Turns a fine-tuned model into the ONNX folders that the pipeline runs: `python -m training.export_onnx --help`."""

import json
import random
import shutil
from pathlib import Path
from typing import Annotated

import numpy as np
import onnx
import torch
import typer
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.transformers.fusion_options import FusionOptions
from onnxruntime.transformers.optimizer import optimize_model
from tokenizers import Tokenizer
from transformers import BertForTokenClassification

from training.labelled_sentences import LabelledSentence, read_labelled_sentences

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json")
TAG_POLICY = "strict"
"""What is made of stray I- tags: chosen on dev (README.md)."""

KEPT_SETTINGS = ("architectures", "model_type", "id2label", "label2id", "max_position_embeddings", "pad_token_id")


class LogitsOnly(torch.nn.Module):
    """The graph that is exported: no token types, for a sentence is never one of a pair."""

    def __init__(self, model: BertForTokenClassification) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """*Shapes:* (batch, pieces), int64, to (batch, pieces, labels), float32."""
        return self.model(input_ids=input_ids, attention_mask=attention_mask).logits


def export_fused(model: BertForTokenClassification, path: Path) -> None:
    """Writes a float32 graph, with attention, layer normalisation and GELU fused to one node each.

    Attention is fused to MultiHeadAttention, which leaves the products with the weights as nodes of their own, since
    only those can be quantized with scales that are known beforehand.
    """
    example = torch.ones((2, 8), dtype=torch.int64)
    axes = {0: "batch", 1: "pieces"}
    torch.onnx.export(
        LogitsOnly(model.eval()),
        (example, example),
        str(path),
        input_names=["input_ids", "attention_mask"],
        output_names=["logits"],
        dynamic_axes={"input_ids": axes, "attention_mask": axes, "logits": axes},
        opset_version=17,
        dynamo=False,
    )
    options = FusionOptions("bert")
    options.use_multi_head_attention = True
    options.enable_embed_layer_norm = False  # the embedding table is quantized on its own
    fused = optimize_model(
        str(path),
        model_type="bert",
        num_heads=model.config.num_attention_heads,
        hidden_size=model.config.hidden_size,
        optimization_options=options,
        opt_level=0,
    )
    fused.save_model_to_file(str(path))


class Sentences(CalibrationDataReader):
    """Sentences that the ranges of the activations are measured on."""

    def __init__(self, sentences: list[LabelledSentence]) -> None:
        self._sentences = iter(sentences)

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next sentence, as a batch of one."""
        sentence = next(self._sentences, None)
        if sentence is None:
            return None
        input_ids = np.array([sentence.input_ids], dtype=np.int64)
        return {"input_ids": input_ids, "attention_mask": np.ones_like(input_ids)}


def quantize(source: Path, target: Path, sentences: list[LabelledSentence]) -> None:
    """Quantizes the weight products to int8, all but the classifier's, and the word embeddings.

    The scales of the activations are fixed here, on `sentences`, and not measured on each batch as in dynamic
    quantization: there a sentence's tags would depend on the sentences that it shares a batch with. Weights have 7
    bits, so that CPUs without VNNI, whose 16-bit sums would overflow, compute the same numbers as those with it.
    """
    model = onnx.load(source)
    for node in model.graph.node:  # the quantizer passes by what it does not know to be float
        if node.domain == "com.microsoft":
            model.graph.value_info.extend(
                helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in node.output if name
            )
    onnx.save(model, target)
    classifier = [node.name for node in model.graph.node if node.op_type == "MatMul" and "classifier" in node.name]
    quantize_static(
        target,
        target,
        Sentences(sentences),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=["MatMul"],
        nodes_to_exclude=classifier,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        per_channel=True,
        reduce_range=True,
        extra_options={"OpTypesToExcludeOutputQuantization": ["MatMul"]},
    )
    model = onnx.load(target)
    quantize_embeddings(model.graph)
    onnx.checker.check_model(model)
    onnx.save(model, target)


def quantize_embeddings(graph: onnx.GraphProto) -> None:
    """Replaces the largest table that is looked up, the word embeddings, by int8 rows with a scale each."""
    tables = {tensor.name: tensor for tensor in graph.initializer}
    lookups = [node for node in graph.node if node.op_type == "Gather" and node.input[0] in tables]
    lookup = max(lookups, key=lambda node: np.prod(tables[node.input[0]].dims))
    table = numpy_helper.to_array(tables[lookup.input[0]])
    scales = np.maximum(np.abs(table).max(axis=1, keepdims=True), 1e-12) / 127
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


def write_folder(folder: Path, model: BertForTokenClassification, encoder: Path) -> None:
    """Writes what stands beside `model.onnx`: the settings the pipeline reads, and the tokenizer without padding."""
    settings = model.config.to_dict()
    settings["architectures"] = ["BertForTokenClassification"]
    kept = {name: settings[name] for name in KEPT_SETTINGS} | {"tag_policy": TAG_POLICY}
    (folder / "config.json").write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
    for name in TOKENIZER_FILES[1:]:
        shutil.copyfile(encoder / name, folder / name)
    tokenizer = Tokenizer.from_file(str(encoder / TOKENIZER_FILES[0]))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tokenizer.save(str(folder / TOKENIZER_FILES[0]))


def export(
    *,
    model: Annotated[Path, typer.Option(help="Folder that `training.fine_tune` wrote.")],
    train: Annotated[Path, typer.Option(help="Gold documents whose sentences the int8 scales are measured on, JSONL.")],
    output: Annotated[Path, typer.Option(help="Folder for the model folders `fp32` and `int8`.")],
    calibration_sentences: int = 1000,
    seed: int = 1,
) -> None:
    """Export a fine-tuned model to ONNX, fuse its graph, and quantize it to int8."""
    fine_tuned = BertForTokenClassification.from_pretrained(model, attn_implementation="eager")
    for precision in ("fp32", "int8"):
        (output / precision).mkdir(parents=True, exist_ok=True)
        write_folder(output / precision, fine_tuned, model / "encoder")
    export_fused(fine_tuned, output / "fp32" / "model.onnx")
    tokenizer = Tokenizer.from_file(str(output / "int8" / "tokenizer.json"))
    sentences = random.Random(seed).sample(read_labelled_sentences(train, tokenizer), calibration_sentences)
    quantize(output / "fp32" / "model.onnx", output / "int8" / "model.onnx", sentences)
    for precision in ("fp32", "int8"):
        size = (output / precision / "model.onnx").stat().st_size
        print(f"{output / precision}: {size / 1e6:.1f} MB")


if __name__ == "__main__":
    typer.run(export)
