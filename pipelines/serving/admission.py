"""How much may wait for the model: a bound in word pieces, which are time, not in requests, which are not."""

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncIterator

from pipelines.serving.refusal import RefusedError

LONGEST_RETRY = 60
"""Seconds."""


class Admission:
    """Lets word pieces in up to a limit. One request is always let in, however large, when nothing else is there.

    Args:
        limit: Word pieces that may be with the model, or wait for it, at once.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._left = asyncio.Condition()
        self._done, self._busy_seconds, self._since = 0, 0.0, 0.0
        self.held = 0

    @contextlib.asynccontextmanager
    async def room(self, pieces: int, *, wait: bool) -> AsyncIterator[None]:
        """Holds room for `pieces` while the body runs.

        Args:
            pieces: Word pieces.
            wait: Whether to wait for room; else there is an error where there is none.

        Raises:
            RefusedError: 429, with the seconds that what is there should take.
        """
        async with self._left:
            if wait:
                await self._left.wait_for(lambda: self._fits(pieces))
            elif not self._fits(pieces):
                raise RefusedError(
                    429,
                    f"busy: {self.held:,} word pieces wait for the model, {self._limit:,} may; try again later",
                    retry_after=self._seconds_left(),
                )
            if not self.held:
                self._since = time.monotonic()
            self.held += pieces
        try:
            yield
            self._done += pieces
        finally:
            async with self._left:
                self.held -= pieces
                if not self.held:
                    self._busy_seconds += time.monotonic() - self._since
                self._left.notify_all()

    def _fits(self, pieces: int) -> bool:
        return not self.held or self.held + pieces <= self._limit

    def _seconds_left(self) -> int:
        """At the rate so far."""
        busy = self._busy_seconds + (time.monotonic() - self._since if self.held else 0.0)
        seconds = self.held * busy / self._done if self._done else 1.0
        return min(LONGEST_RETRY, max(1, math.ceil(seconds)))
