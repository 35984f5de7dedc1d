"""Clients that read a log to its end, whatever happens to their connections."""

from __future__ import annotations

import asyncio
import json

import aiohttp

from tests.chaos.callers import FAILURES, Caller
from tests.chaos.diary import Reading
from tests.chaos.nodes import now
from tests.e2e.client import Frame, frames

PATIENCE = aiohttp.ClientTimeout(total=None, connect=2, sock_read=20)
PAUSE_SECONDS = 0.5
FEWEST, MOST = 1, 2000
ENDINGS = {"turn.completed", "turn.failed", "turn.cancelled"}


class Reader:
    """Reads on, from where it was cut off, until it has seen the ends of all `wanted` turns.

    Without `wanted` it reads for ever.
    """

    def __init__(self, caller: Caller, reading: Reading, wanted: set[str] | None) -> None:
        self.reading = reading
        self._wanted = wanted
        self._seen: set[str] = set()
        self._caller = caller
        self._diary = caller.diary
        self._diary.readings.append(reading)
        self._task = asyncio.create_task(self._read())

    async def stop(self) -> None:
        """Go away, wherever it is; raises what has failed."""
        self._task.cancel()
        await asyncio.wait([self._task])
        if not self._task.cancelled():
            self._task.result()

    def want(self, turns: set[str]) -> None:
        """Nothing comes after these."""
        self._wanted = turns
        if turns <= self._seen:
            self.reading.over = True
            self._task.cancel()

    async def _read(self) -> None:
        while not self.reading.over:
            before = self.reading.cursor
            try:
                await self._follow()
            except FAILURES:
                pass
            if self.reading.cursor == before:
                await asyncio.sleep(self._caller.chance.uniform(0.0, PAUSE_SECONDS))

    async def _follow(self) -> None:
        reading = self.reading
        reading.connections += 1
        headers = {"Accept": "text/event-stream"}
        if reading.cursor:
            headers["Last-Event-ID"] = str(reading.cursor)
        async with self._caller.http.get(
            self._caller.anywhere() + reading.path, headers=headers, timeout=PATIENCE
        ) as answer:
            if answer.status != 200:
                told = await answer.text()
                reading.faults.append(f"after {reading.cursor}: {answer.status} {told}")
                await asyncio.sleep(PAUSE_SECONDS)
                return
            left = self._caller.chance.randint(FEWEST, MOST)
            async for frame in frames(answer.content):
                self._see(frame)
                left -= 1
                if left == 0 or reading.over:
                    return

    def _see(self, frame: Frame) -> None:
        reading = self.reading
        if not frame.id:
            self._diary.counts[frame.event] += 1
            return
        follows = frame.offset == reading.cursor + 1
        if not follows and (not reading.turn_id or frame.offset <= reading.cursor):
            reading.faults.append(f"{frame.offset} came after {reading.cursor}")
        reading.frames.append((frame.offset, frame.raw))
        if not frame.event.endswith("delta"):
            self._diary.first_seen.setdefault((reading.conversation_id, frame.offset), now())
        if frame.event in ENDINGS:
            turn_id = json.loads(frame.data)["turnId"]
            self._diary.ended.add(turn_id)
            self._seen.add(turn_id)
            reading.over = self._wanted is not None and self._wanted <= self._seen
