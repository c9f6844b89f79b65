"""A real model of a few kilobytes, which two words of its vocabulary are too much for.

To divide the least integer by -1 is a trap of the CPU (x86); to divide by 0, ONNX Runtime itself refuses.
"""

import json

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "il", "##2", "deadly", "raising", "gene", "the", "binds", "it"]
NEVER = len(WORDS) + 1
LABELS = {"0": "O", "1": "B-protein", "2": "I-protein"}


def save_model(folder, *, deadly=NEVER, raising=NEVER):
    """A model whose tags depend on the word, and which these two word pieces are too much for."""
    folder.mkdir()
    tokenizer = Tokenizer(models.WordPiece({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))  # noqa: S106
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {"id2label": LABELS, "model_type": "bert", "max_position_embeddings": 64}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")

    table = np.random.default_rng(1).normal(size=(len(WORDS), len(LABELS))).astype(np.float32)
    constants = {
        "table": table,
        "deadly": np.array(deadly),
        "raising": np.array(raising),
        "least": np.array(-(2**63)),
        "minus_one": np.array(-1),
        "zero": np.array(0),
        "one": np.array(1),
        "last_axis": np.array([2]),
        "nothing": np.array(0.0, np.float32),
    }
    nodes = [
        helper.make_node("Equal", ["input_ids", "deadly"], ["is_deadly"]),
        helper.make_node("Where", ["is_deadly", "minus_one", "one"], ["first"]),
        helper.make_node("Equal", ["input_ids", "raising"], ["is_raising"]),
        helper.make_node("Where", ["is_raising", "zero", "first"], ["divisor"]),
        helper.make_node("Div", ["least", "divisor"], ["quotient"]),
        helper.make_node("Cast", ["quotient"], ["number"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["number", "nothing"], ["naught"]),
        helper.make_node("Unsqueeze", ["naught", "last_axis"], ["column"]),
        helper.make_node("Gather", ["table", "input_ids"], ["by_word"]),
        helper.make_node("Add", ["by_word", "column"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "deadly",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "pieces"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", "pieces", len(LABELS)])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), folder / "model.onnx"
    )
    return folder
