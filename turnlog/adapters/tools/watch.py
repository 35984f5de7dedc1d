"""Blocking work in a thread that ends soon after nobody waits for it any more."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from turnlog.domain.errors import ToolFailed

TIME_LIMIT = 10.0
"""Seconds that one call of a reading tool may take."""

CHANGE_TIME_LIMIT = 30.0
"""Seconds that a tool may take to get ready for changing files."""

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

    def look(self) -> None:
        """Raise `ToolFailed` if it is over: for work of which a part is of no use."""
        if self.over():
            raise ToolFailed(f"It took over {self.seconds:g} s, so it was stopped.")

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


async def in_thread_to_its_end(work: Callable[[Watch], T], seconds: float) -> T:
    """Run `work` in a thread, of which nothing runs on when this has ended, however it did.

    So cancelling this waits for the next look at the watch, and from the last
    look on for the end. Work that never began never will.
    """
    watch = Watch(seconds)
    begun = threading.Event()

    def timed() -> T:
        begun.set()
        watch.start()
        watch.look()
        return work(watch)

    running = asyncio.create_task(asyncio.to_thread(timed))
    try:
        await asyncio.wait([running])
    except asyncio.CancelledError:
        # In this order, and the other one in the thread: one of the two sees the other.
        watch.abandon()
        if begun.is_set():
            await _ended(running)
        else:
            running.cancel()
        raise
    return running.result()


async def _ended(running: asyncio.Task[T]) -> None:
    """Wait for it, also if asked again not to."""
    while not running.done():
        try:
            await asyncio.wait([running])
        except asyncio.CancelledError:
            continue
    if not running.cancelled():
        running.exception()
