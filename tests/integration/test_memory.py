"""Memory does not grow with the corpus. A tiny model, so that everything around it is what is seen."""

import pytest

from benchmarks.memory import TOGETHER, peaks
from tests.integration.tiny_model import save_model

CITATIONS, TIMES = 3000, 10
MOST_GROWTH = 1.1


@pytest.mark.slow
def test_ten_times_the_corpus_in_the_same_memory(tmp_path, capsys):
    options = ["--model", str(save_model(tmp_path / "model"))]
    small, large = peaks(CITATIONS, options), peaks(CITATIONS * TIMES, options)
    with capsys.disabled():
        print(f"\npeak MiB at {CITATIONS:,} citations and {TIMES} times as many: "
              f"{ {role: (small[role] >> 20, large[role] >> 20) for role in small} }")  # fmt: skip
    assert large[TOGETHER] < small[TOGETHER] * MOST_GROWTH
