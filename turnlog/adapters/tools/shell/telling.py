"""Listening to a command, and telling what it says while it runs."""

from __future__ import annotations

import asyncio

from turnlog.adapters.children import KeptProcess
from turnlog.adapters.tools.shell.excerpt import Excerpt
from turnlog.domain.ports import Progress

PIECE = 64 * 1024
PAUSE = 0.02  # seconds; what is said in them is told in one piece
BREATH = 0.001  # seconds between two pieces that nobody is told, so as not to be busy with those


class Telling:
    """The pieces of the output that `progress` was given."""

    def __init__(self, progress: Progress) -> None:
        self.pieces: list[str] = []
        self._progress = progress

    async def tell(self, piece: str) -> None:
        """Give it a piece, if there is anything in it."""
        if piece:
            self.pieces.append(piece)
            await self._progress(piece)

    def note(self, words: str) -> str:
        """Words in brackets, in a line of their own after what was told."""
        line_is_open = self.pieces and not self.pieces[-1].endswith("\n")
        return f"\n[{words}]" if line_is_open else f"[{words}]"


async def listen(process: KeptProcess, seconds: float, told: Telling) -> int | None:
    """Tell what it says to its end; the exit code, or None if its time was over before.

    Its time is kept by a signal to it and not by cancelling what waits here, so that nothing
    of what it said is lost. While `told` waits it is not read, and so it waits too.
    """
    expired = False

    def expire() -> None:
        nonlocal expired
        expired = True
        process.end()

    timer = asyncio.get_running_loop().call_later(seconds, expire)
    excerpt = Excerpt()
    try:
        while data := await process.output.read(PIECE):
            await told.tell(excerpt.add(data))
            await asyncio.sleep(BREATH if excerpt.is_full else PAUSE)
        code = await process.code()
    finally:
        timer.cancel()
    await told.tell(excerpt.rest())
    return None if expired else code
