"""Blocking work in a thread that ends soon after nobody waits for it any more."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

TIME_LIMIT = 10.0
"""Seconds that one call of a reading tool may take."""

T = TypeVar("T")


class Watch:
    """What the thread looks at between two pieces of work."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._ends = float("inf")
        self._abandoned = False

    def over(self) -> bool:
        """Whether to stop here: the time is up, or the caller has gone."""
        return self._abandoned or time.monotonic() >= self._ends

    def start(self) -> None:
        """Count the seconds from here."""
        self._ends = time.monotonic() + self.seconds

    def abandon(self) -> None:
        """Nobody waits for the outcome any more."""
        self._abandoned = True


async def in_thread(work: Callable[[Watch], T], seconds: float) -> T:
    """Run `work` in a thread; it has to look at its watch between bounded pieces.

    Cancelling this stops the thread at the next look, without waiting for it.
    """
    watch = Watch(seconds)

    def timed() -> T:
        watch.start()
        return work(watch)

    try:
        return await asyncio.to_thread(timed)
    finally:
        watch.abandon()
