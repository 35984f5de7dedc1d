"""Waiting for things, and never for time to pass."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

PATIENCE = 5.0  # seconds; nothing here takes so long unless it fails


async def until(condition: Callable[[], object]) -> None:
    """Let the other tasks go on until it is so."""
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came to be so")


async def everything_else() -> None:
    """Let the other tasks go on until they all wait for something that will not happen."""
    for _ in range(50):
        await asyncio.sleep(0)


def time_passes(seconds: float) -> None:
    """All clocks of the event loop go forward by so much, at once."""
    loop = asyncio.get_running_loop()
    before = loop.time
    loop.time = lambda: before() + seconds  # type: ignore[method-assign]
