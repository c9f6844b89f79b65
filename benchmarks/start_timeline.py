"""The command line, with the time of each part of its start: what `benchmarks.start_up` runs, in a process of its own.

`python -m benchmarks.start_timeline FILE tag --text ...` writes what each took to FILE, as JSON. Nothing but the
standard library is loaded before the clock runs.
"""

import time

STARTED = (time.monotonic(), time.process_time())
"""When Python had come this far: by the clock, and CPU seconds since the process began."""

import contextlib  # noqa: E402
import functools  # noqa: E402
import inspect  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402
from collections.abc import Callable, Iterator  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

SPAWNED = "CYTOTAG_BENCH_SPAWNED"
"""Environment variable: when the process was spawned, by the monotonic clock, which all processes share."""

REST = "command line"
"""All that no other part has."""

Clocks = tuple[float, float]


def clocks() -> Clocks:
    """The time, and the CPU seconds of this process so far."""
    return time.monotonic(), time.process_time()


class Timeline:
    """Parts, in the order in which they began: seconds and CPU seconds of each, without the parts inside it.

    Args:
        now: Gives the time and the CPU seconds so far.
    """

    def __init__(self, now: Callable[[], Clocks] = clocks) -> None:
        self.parts: dict[str, list[float]] = {}
        self._now = now
        self._open: list[str] = []
        self._since = now()

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Counts what is done inside to a part; the part around it stands still meanwhile."""
        self._pass()
        self.parts.setdefault(name, [0.0, 0.0])
        self._open.append(name)
        try:
            yield
        finally:
            self._pass()
            self._open.pop()

    def _pass(self) -> None:
        now = self._now()
        if self._open:
            took = self.parts[self._open[-1]]
            took[0] += now[0] - self._since[0]
            took[1] += now[1] - self._since[1]
        self._since = now

    def time_calls(self, owner: Any, attribute: str, name: str) -> None:
        """Makes each call of a function, or of a method of a class, count to a part."""
        held, found = inspect.getattr_static(owner, attribute), getattr(owner, attribute)

        @functools.wraps(found)
        def timed(*args: Any, **keywords: Any) -> Any:
            with self.part(name):
                return found(*args, **keywords)

        setattr(owner, attribute, staticmethod(timed) if isinstance(held, classmethod) else timed)


def time_text(timeline: Timeline) -> Callable[[], None]:
    """Times the parts of tagging one text; gives the command line."""
    with timeline.part("imports"):
        from actors import model_files, onnx_session, token_classifier
        from pipelines import light
        from pipelines.__main__ import main as command_line
        from pipelines.commands import tag
        from pipelines.stages import spark_tokenizer, tokenizer

    timeline.time_calls(model_files.ModelFiles, "from_pretrained", "model's settings and vocabulary")
    for module in (tokenizer, spark_tokenizer):
        if hasattr(module, "load_tokenizer"):
            timeline.time_calls(module, "load_tokenizer", "tokenizer")
    timeline.time_calls(onnx_session.OnnxSession, "__init__", "session")
    timeline.time_calls(token_classifier.TokenClassifier, "check", "trial run")
    timeline.time_calls(light.LightPipeline, "annotate", "first text")
    timeline.time_calls(tag, "print_chunks", "printing")
    return command_line


def time_job(timeline: Timeline) -> Callable[[], None]:
    """Times the parts of a job; gives the command line."""
    with timeline.part("imports"):
        import ray

        from actors import model_files, token_classifier
        from pipelines import job
        from pipelines.__main__ import main as command_line

    timeline.time_calls(model_files.ModelFiles, "from_pretrained", "model's settings and vocabulary")
    timeline.time_calls(token_classifier.TokenClassifier, "__init__", "model loaded to see that it runs")
    timeline.time_calls(ray, "init", "start of Ray")
    timeline.time_calls(job, "_tag", "tagging")
    timeline.time_calls(ray, "shutdown", "end of Ray")
    return command_line


def main() -> None:
    """Runs the command line."""
    output = Path(sys.argv.pop(1))
    spawned = float(os.environ[SPAWNED])
    timeline = Timeline()
    timeline.parts["interpreter"] = [STARTED[0] - spawned, STARTED[1]]
    try:
        with timeline.part(REST):
            command_line = (time_text if "--text" in sys.argv else time_job)(timeline)
            command_line()
    finally:
        output.write_text(json.dumps(timeline.parts), encoding="utf-8")


if __name__ == "__main__":
    main()
