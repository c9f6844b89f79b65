"""Fuses the many nodes that exporters write into the few that ONNX Runtime has fast code for."""

import logging
from collections import Counter
from pathlib import Path

import onnx
import onnxruntime
from onnxruntime.transformers.fusion_options import FusionOptions
from onnxruntime.transformers.optimizer import optimize_model

from pipelines.models.attention import FUSED as FUSED_ATTENTION
from pipelines.models.attention import use_standard_attention
from pipelines.models.layer_norms import split_layer_norms
from pipelines.models.quiet import quiet

FUSED = {
    FUSED_ATTENTION: "attention",
    "SkipLayerNormalization": "layer normalisation",
    "LayerNormalization": "layer normalisation",
    "BiasGelu": "GELU",
    "Gelu": "GELU",
}
"""Nodes that ONNX Runtime's fusions leave, and what it is called."""


def fuse(path: Path, scratch: Path, *, heads: int = 0, width: int = 0) -> tuple[onnx.ModelProto, str]:
    """Folds what is constant (ONNX Runtime's basic optimizations), then fuses attention, layer normalisation and GELU.

    Attention and layer normalisations end up as nodes that are fast on CPUs (`attention.py`, `layer_norms.py`).

    Attention is fused to a node that leaves the products with the weights as nodes of their own, since only those can
    be quantized with scales that are known beforehand. A pattern that the fusions do not know, such as the relative
    positions of DeBERTa and MPNet and the rotary ones of ModernBERT, is left as it is.

    Args:
        path: A float32 graph.
        scratch: An empty folder.
        heads: Attention heads of a layer; 0 if not known, then they are looked for in the graph.
        width: Of a layer; 0 if not known.

    Returns:
        The graph, and what was done in words.
    """
    _fold(path, scratch / "folded.onnx")
    options = FusionOptions("bert")
    options.use_multi_head_attention = True
    options.enable_embed_layer_norm = False  # the embedding table is quantized on its own
    with quiet(logging.ERROR):  # the optimizer warns of each pattern that it does not find
        fused = optimize_model(
            str(scratch / "folded.onnx"),
            model_type="bert",
            num_heads=heads,
            hidden_size=width,
            optimization_options=options,
            opt_level=0,
        ).model
    counts: Counter[str] = Counter()
    for node in fused.graph.node:
        if node.op_type in FUSED:
            counts[FUSED[node.op_type]] += 1
    replaced = use_standard_attention(fused)  # these two know what to replace by the fused nodes
    split_layer_norms(fused.graph)
    done = ", ".join(f"{count} {what}" for what, count in counts.items()) or "nothing that is known"
    rest = ""
    if not counts["attention"]:
        rest = "; attention as exported (a pattern that is not known)"
    elif not replaced:
        rest = f"; attention as {FUSED_ATTENTION}, the slower of two nodes on CPUs"
    return fused, f"constants folded by onnxruntime; fused: {done}{rest}"


def _fold(path: Path, folded: Path) -> None:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    options.optimized_model_filepath = str(folded)
    options.add_session_config_entry(  # else what is over 2 GB is not written
        "session.optimized_model_external_initializers_file_name", f"{folded.name}.data"
    )
    onnxruntime.InferenceSession(
        str(path), options, providers=["CPUExecutionProvider"], disabled_optimizers=["ConstantSharing"]
    )
