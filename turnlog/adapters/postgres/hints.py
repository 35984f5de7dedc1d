"""Words between nodes over LISTEN and NOTIFY, on connections that do nothing else.

NOTIFY stays out of every transaction that writes: PostgreSQL lets such commits pass
one after the other only.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import islice
from uuid import UUID

import asyncpg
import structlog

SAY = "SELECT pg_notify($1, payload) FROM unnest($2::text[]) AS payload"
STILL_THERE = "SELECT 1"

# NOTIFY takes fewer than 8,000 bytes; an id with its offset and a space are 57 at the most.
_WORDS_IN_A_PAYLOAD = 140

# A word is lost with the server that it was said to; it need not wait for the disk.
_SETTINGS = {"application_name": "turnlog hints", "synchronous_commit": "off"}

log = structlog.get_logger(__name__)


class PostgresHints:
    """`Hints`. Times in seconds.

    `patience` is how long an answer may take. A listener's connection that says nothing
    is asked every `doubt` whether it is still there; one that was lost is made anew,
    after a pause that grows to `longest`.
    """

    def __init__(
        self,
        url: str,
        *,
        channel: str = "turnlog",
        patience: float = 2.0,
        doubt: float = 15.0,
        longest: float = 5.0,
    ) -> None:
        self._url = url
        self._channel = channel
        self._patience = patience
        self._doubt = doubt
        self._longest = longest
        self._speaker: asyncpg.Connection | None = None
        self._speaking = asyncio.Lock()

    async def say(self, moved: dict[UUID, int]) -> None:
        async with self._speaking:
            try:
                if self._speaker is None or self._speaker.is_closed():
                    self._speaker = await self._connect()
                words = payloads(moved)
                await self._speaker.execute(SAY, self._channel, words, timeout=self._patience)
            except Exception as error:
                log.warning("hint_lost", error=str(error))
                self.hang_up()

    def hang_up(self) -> None:
        """Close the connection that speaks; the next word opens another."""
        if self._speaker is not None:
            self._speaker.terminate()
            self._speaker = None

    async def listen(
        self, hear: Callable[[UUID, int], None], reconnected: Callable[[], None]
    ) -> None:
        def heard(connection: object, pid: int, channel: str, payload: object) -> None:
            for conversation_id, offset in words_of(str(payload)):
                hear(conversation_id, offset)

        loop = asyncio.get_running_loop()
        pause = 0.0
        while True:
            began = loop.time()
            try:
                async with self._listening() as (connection, lost):
                    await connection.add_listener(self._channel, heard)
                    reconnected()
                    await self._until_lost(connection, lost)
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
                log.warning("hints_not_heard", error=str(error))
            if loop.time() - began > self._longest:
                pause = 0.0
            await asyncio.sleep(pause)
            pause = min(max(2 * pause, 0.05), self._longest)

    @asynccontextmanager
    async def _listening(self) -> AsyncIterator[tuple[asyncpg.Connection, asyncio.Event]]:
        connection = await self._connect()
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _: lost.set())
        try:
            yield connection, lost
        finally:
            connection.terminate()

    async def _until_lost(self, connection: asyncpg.Connection, lost: asyncio.Event) -> None:
        while True:
            try:
                await asyncio.wait_for(lost.wait(), self._doubt)
                return
            except TimeoutError:
                await connection.execute(STILL_THERE, timeout=self._patience)

    async def _connect(self) -> asyncpg.Connection:
        return await asyncpg.connect(self._url, timeout=self._patience, server_settings=_SETTINGS)


def payloads(moved: dict[UUID, int]) -> list[str]:
    """The words for what moved, in as few payloads as NOTIFY allows."""
    words = (f"{conversation_id}:{offset}" for conversation_id, offset in moved.items())
    return [" ".join(part) for part in iter(lambda: list(islice(words, _WORDS_IN_A_PAYLOAD)), [])]


def words_of(payload: str) -> list[tuple[UUID, int]]:
    """What a payload says; anyone may speak on the channel, and what is no word is passed over."""
    found: list[tuple[UUID, int]] = []
    for word in payload.split():
        conversation_id, _, offset = word.partition(":")
        try:
            found.append((UUID(conversation_id), int(offset)))
        except ValueError:
            continue
    return found
