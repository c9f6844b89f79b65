import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.collation import equal_length_batches


def batches(lengths, token_budget):
    return [batch.tolist() for batch in equal_length_batches(np.array(lengths, dtype=np.int64), token_budget)]


@pytest.mark.parametrize(
    ("lengths", "token_budget", "expected"),
    [
        ([], 10, []),
        ([5], 10, [[0]]),
        ([5], 4, [[0]]),  # longer than the budget: alone
        ([5, 5, 5], 10, [[0, 1], [2]]),
        ([5, 5, 5], 14, [[0, 1], [2]]),
        ([5, 5, 5], 15, [[0, 1, 2]]),
        ([7, 3, 7, 3], 100, [[1, 3], [0, 2]]),
        ([3, 4, 5], 100, [[0], [1], [2]]),
    ],
)
def test_batches(lengths, token_budget, expected):
    assert batches(lengths, token_budget) == expected


@given(lengths=st.lists(st.integers(1, 40), max_size=60), token_budget=st.integers(1, 200))
def test_each_window_is_in_one_batch_with_none_of_another_length(lengths, token_budget):
    found = batches(lengths, token_budget)
    assert sorted(window for batch in found for window in batch) == list(range(len(lengths)))
    for batch in found:
        assert len({lengths[window] for window in batch}) == 1
        assert len(batch) == 1 or sum(lengths[window] for window in batch) <= token_budget
    least = sum(-(-lengths.count(n) // max(1, token_budget // n)) for n in set(lengths))
    assert len(found) == least
