"""Plain functions beside the event loop.

Each has a thread of its own: one that does not end takes no place from others, and a
server that stops does not wait for it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextvars import copy_context
from typing import TypeVar

from turnlog.domain.errors import ToolFailed

MOST_THREADS = 64
"""Of all tools together, those included that go on after their call was cancelled."""

T = TypeVar("T")

_room = threading.BoundedSemaphore(MOST_THREADS)


async def in_own_thread(work: Callable[[], T], name: str) -> T:
    """Run it in a thread. Cancelling this leaves at once, and the thread runs on.

    Raises `ToolFailed` if too many are running.
    """
    if not _room.acquire(blocking=False):
        raise ToolFailed(f"{name} did not run: {MOST_THREADS} calls of tools are at work already.")
    outcome: Future[T] = Future()
    context = copy_context()

    def run() -> None:
        try:
            _settle(outcome, lambda: context.run(work))
        finally:
            _room.release()

    thread = threading.Thread(target=run, name=f"tool {name}", daemon=True)
    try:
        thread.start()
    except RuntimeError:
        _room.release()
        raise
    return await asyncio.wrap_future(outcome)


def _settle(outcome: Future[T], work: Callable[[], T]) -> None:
    try:
        try:
            result = work()
        except BaseException as error:
            outcome.set_exception(_told(error))
        else:
            outcome.set_result(result)
    # The call was cancelled, so nobody waits for it.
    except InvalidStateError:
        pass


def _told(error: BaseException) -> BaseException:
    """Neither the end of an iteration nor of a process may come out of a tool."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    wrapped = RuntimeError(f"{type(error).__name__} came out of a tool")
    wrapped.__cause__ = error
    return wrapped
