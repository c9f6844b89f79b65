"""Which windows the model reads together: those of exactly the same length, so nothing is ever padded."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Int = npt.NDArray[np.int64]


def equal_length_batches(lengths: Int, token_budget: int) -> Iterator[Int]:
    """Groups windows of equal length into batches of at most `token_budget` word pieces, or of one window.

    A window's result then depends on that window alone, bit by bit: padding would change the length over which the
    attention sums, and with it the last bits of every score. So the tags are the same whatever else is in the batch.

    Args:
        lengths: Pieces of each window. *Shape:* (windows,), int64.
        token_budget: The most pieces in a batch.

    Yields:
        Numbers of the windows of one batch; every window is in exactly one batch. *Shape:* (batch,), int64.
    """
    order = np.argsort(lengths, kind="stable")
    length_changes = np.flatnonzero(np.diff(lengths[order])) + 1
    for group in np.split(order, length_changes):
        if len(group):
            rows = max(1, token_budget // int(lengths[group[0]]))
            for at in range(0, len(group), rows):
                yield group[at : at + rows]
