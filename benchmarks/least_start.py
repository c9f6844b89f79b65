"""What a start takes at least: the two that `cytotag tag` is compared with.

`python -m benchmarks.least_start text FOLDER TEXT` loads the model and its tokenizer and runs the text through, with
numpy, onnxruntime and tokenizers and nothing else; it prints the number of word pieces. `python -m
benchmarks.least_start ray` starts a Ray as a job does, prints a line, and stops it.
"""

import sys
from pathlib import Path


def tag_text(folder: Path, text: str) -> int:
    """Word pieces of a text that the model read."""
    import numpy as np
    import onnxruntime
    import tokenizers

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"])
    if (folder / "tokenizer.json").exists():
        tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.no_padding()  # which some files ask for
        pieces = tokenizer.encode(text).ids
    else:
        pieces = tokenizers.BertWordPieceTokenizer(str(folder / "vocab.txt")).encode(text).ids
    ids = np.array([pieces], dtype=np.int64)
    feeds = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    session.run(None, {node.name: feeds[node.name] for node in session.get_inputs()})
    return len(pieces)


def start_ray() -> None:
    """Starts a Ray, says so, and stops it."""
    from pipelines.local_ray import ray_session

    with ray_session(None):
        print("started", flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "ray":
        start_ray()
    else:
        print(tag_text(Path(sys.argv[2]), sys.argv[3]), flush=True)
