"""optimum's `ORTModelForTokenClassification` in a pipeline of transformers: ONNX Runtime in torch's place.

The graph is the one that optimum exports of the weights, float32, when it loads them; ONNX Runtime has a thread a core.

    python -m benchmarks.rivals.optimum_onnx --help
"""

from typing import Annotated

import typer

from benchmarks.rivals.pipeline_turn import OPTIONS, take_turn
from benchmarks.rivals.sentences import ChunksFile, Model, Output, SentencesFile, Threads


def main(
    sentences: SentencesFile,
    model: Model,
    threads: Threads,
    output: Output,
    chunks: ChunksFile = None,
    batch_size: Annotated[int, typer.Option(help="Texts of one run of the model.")] = 32,
) -> None:
    """Tag the sentences, by the clock."""
    import onnxruntime
    import torch
    from optimum.onnxruntime import ORTModelForTokenClassification
    from transformers import AutoTokenizer, pipeline

    torch.set_num_threads(threads)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = ORTModelForTokenClassification.from_pretrained(
        model, export=True, provider="CPUExecutionProvider", session_options=options
    )
    tokenizer = AutoTokenizer.from_pretrained(model)
    tagger = pipeline("token-classification", model=session, tokenizer=tokenizer, **OPTIONS)
    take_turn(tagger, lambda texts: tagger(texts, batch_size=batch_size), sentences, output, chunks)


if __name__ == "__main__":
    typer.run(main)
