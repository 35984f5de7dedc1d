"""A store that tests can hold, take away and bring back."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from uuid import UUID

from tests.runtime.waiting import until as so
from turnlog.adapters.memory import MemoryStore
from turnlog.domain.errors import StoreUnavailable
from turnlog.domain.records import Append, Entry, FedEntry, Head


class Disk:
    """A store whose appends wait while it is `slow`, and which fails while it is `away`.

    While `unreadable` only its reads fail; while `silent` it writes, and loses its
    connection before it can say so.
    """

    def __init__(self, memory: MemoryStore | None = None, *, slow: bool = False) -> None:
        self.memory = memory or MemoryStore()
        self.begun: list[list[Append]] = []
        self.held: dict[int, list[asyncio.Future[None]]] = {}
        self.slow = slow
        self.away = False
        self.unreadable = False
        self.silent = False
        self.reads = 0

    @property
    def buckets(self) -> int:
        return self.memory.buckets

    async def append(self, bucket: int, appends: Sequence[Append]) -> list[bool]:
        self.begun.append(list(appends))
        if self.slow:
            go = asyncio.get_running_loop().create_future()
            self.held.setdefault(bucket, []).append(go)
            await go
        self._reach()
        written = await self.memory.append(bucket, appends)
        if self.silent:
            raise StoreUnavailable()
        return written

    def release(self, bucket: int | None = None) -> None:
        """Let the appends that are held go on (those of that bucket)."""
        for held in self.held.values() if bucket is None else [self.held[bucket]]:
            while held:
                held.pop().set_result(None)

    def quicken(self) -> None:
        """From now on no append is held."""
        self.slow = False
        self.release()

    def lost(self) -> None:
        """Its connection broke: what is held never reaches it."""
        self.away = True
        self.release()

    async def holds(self, appends: int = 1) -> None:
        """Wait until so many appends are held."""
        await so(lambda: sum(map(len, self.held.values())) == appends)

    async def head(self, conversation_id: UUID) -> Head | None:
        self._read()
        return await self.memory.head(conversation_id)

    async def read(
        self,
        conversation_id: UUID,
        *,
        after: int = 0,
        until: int | None = None,
        limit: int | None = None,
        turn_id: UUID | None = None,
        deltas: bool = True,
    ) -> list[Entry]:
        self._read()
        return await self.memory.read(
            conversation_id, after=after, until=until, limit=limit, turn_id=turn_id, deltas=deltas
        )

    async def read_each(self, after: Mapping[UUID, int], *, limit: int) -> dict[UUID, list[Entry]]:
        self._read()
        return await self.memory.read_each(after, limit=limit)

    async def feed(self, bucket: int, *, after: int, limit: int) -> list[FedEntry]:
        self._read()
        return await self.memory.feed(bucket, after=after, limit=limit)

    async def offsets(self, conversation_ids: Sequence[UUID]) -> dict[UUID, int]:
        self._read()
        return await self.memory.offsets(conversation_ids)

    async def positions(self) -> list[int]:
        self._read()
        return await self.memory.positions()

    def _read(self) -> None:
        self._reach()
        if self.unreadable:
            raise StoreUnavailable()
        self.reads += 1

    def _reach(self) -> None:
        if self.away:
            raise StoreUnavailable()
