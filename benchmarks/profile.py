"""Where the time in the model goes: ONNX Runtime's own profiler over the batches that a corpus makes.

`python -m benchmarks.profile --help`
"""

import json
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import onnxruntime
import typer
from rich.console import Console
from rich.table import Table

from actors.model_files import EMBEDDED_MODEL, ModelFiles
from benchmarks.corpus import Corpus, model_windows
from benchmarks.model_alone import Ids, batches

BETWEEN = "between nodes"
"""What a run takes beyond its nodes: the executor, and the profiler's own notes."""


class OperatorTime(NamedTuple):
    """What the nodes of one operator took, of all the runs together."""

    operator: str
    runs: int
    seconds: float
    share: float


def by_operator(events: Iterable[Mapping[str, Any]]) -> list[OperatorTime]:
    """The time of each operator, longest first, and the time between them.

    Args:
        events: As ONNX Runtime's profiler writes them: times in microseconds; a node's own time is in the event whose
            name ends in `_kernel_time`, that of a run in `model_run`.
    """
    runs: Counter[str] = Counter()
    took: Counter[str] = Counter()
    whole = 0
    for event in events:
        if event["name"] == "model_run":
            whole += event["dur"]
            runs[BETWEEN] += 1
        elif event["name"].endswith("_kernel_time"):
            operator = event["args"]["op_name"]
            runs[operator] += 1
            took[operator] += event["dur"]
    took[BETWEEN] = max(0, whole - took.total())
    total = took.total() or 1
    return [OperatorTime(name, runs[name], time / 1e6, time / total) for name, time in took.most_common()]


def profile(files: ModelFiles, of_corpus: Sequence[Ids], *, threads: int) -> list[OperatorTime]:
    """The time of each operator over these batches. *Shape of each:* (windows, pieces)."""
    with tempfile.TemporaryDirectory(prefix="cytotag-profile-") as folder:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # as OnnxSession
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder, "profile"))
        session = onnxruntime.InferenceSession(str(files.graph), options, providers=["CPUExecutionProvider"])
        inputs = {node.name for node in session.get_inputs()}
        for batch in of_corpus:
            feeds = {"input_ids": batch, "attention_mask": np.ones_like(batch), "token_type_ids": np.zeros_like(batch)}
            session.run(None, {name: values for name, values in feeds.items() if name in inputs})
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    return by_operator(events)


def main(
    corpus: Annotated[Path, typer.Option(help="Folder with documents.jsonl.", show_default=False)],
    model: Annotated[Path, typer.Option(help="Model folder.")] = EMBEDDED_MODEL,
    threads: Annotated[int, typer.Option(help="Threads of the model.")] = 1,
) -> None:
    """Print the time of each operator."""
    files = ModelFiles.from_pretrained(model)
    table = Table("operator", "nodes run", "seconds", "share")
    for one in profile(files, batches(model_windows(Corpus(folder=corpus), files)), threads=threads):
        table.add_row(one.operator, f"{one.runs:,}", f"{one.seconds:,.2f}", f"{one.share:.1%}")
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
