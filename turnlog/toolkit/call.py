"""What a function may know of the call that it answers, and say while it works."""

from __future__ import annotations

import asyncio
from concurrent.futures import CancelledError
from typing import Any

from turnlog.domain.errors import ToolFailed
from turnlog.domain.ports import Progress


class Call:
    """One call of a tool.

    What is said with it is output that is shown at once; what the function returns
    follows it. So the model reads all of it, in that order.
    """

    def __init__(self, key: str, arguments: dict[str, Any], progress: Progress) -> None:
        """A tool's own tests may make one, with any `progress`."""
        self._key = key
        self._arguments = arguments
        self._progress = progress
        self._said: list[str] = []
        self._cancelled = False
        self._telling: set[asyncio.Task[Any]] = set()
        try:
            self._loop: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None

    @property
    def key(self) -> str:
        """The same for every try of one call, and for no other: an idempotency key."""
        return self._key

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments as the model sent them."""
        return self._arguments

    @property
    def cancelled(self) -> bool:
        """Nobody waits for the outcome any more: for functions in a thread to look at."""
        return self._cancelled

    async def say(self, text: str) -> None:
        """Show the next piece of the output; waits while the disk is slower than the tool."""
        if text:
            self._said.append(text)
            await self._progress(text)

    def say_from_thread(self, text: str) -> None:
        """The same, for a plain function. Raises `ToolFailed` if the call was cancelled."""
        if self._loop is None:
            raise RuntimeError("This call was not made in an event loop.")
        try:
            asyncio.run_coroutine_threadsafe(self._say_for_thread(text), self._loop).result()
        except CancelledError:
            raise ToolFailed("The call was cancelled.") from None

    async def _say_for_thread(self, text: str) -> None:
        task = asyncio.current_task()
        if task is None or self._cancelled:
            raise asyncio.CancelledError
        self._telling.add(task)
        try:
            await self.say(text)
        finally:
            self._telling.discard(task)

    async def end(self, returned: str) -> str:
        """The whole output, once the function has returned that."""
        if not self._said:
            return returned
        await self.say(returned)
        return "".join(self._said)

    def abandon(self) -> None:
        """Nobody waits for the outcome any more, and nothing that is said is heard."""
        self._cancelled = True
        for task in self._telling:
            task.cancel()
