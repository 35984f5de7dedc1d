"""Connections that write: each bucket's commits come by the same one.

So there is no pool to ask on the way of every commit. And a backend fills pages of its
own: a bucket's entries lie side by side, by which its place in the index on positions is
known as an end that grows, whose pages are left full when they split, not half empty.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from turnlog.adapters.postgres.connections import connect


class _Lane:
    """A connection, made when it is needed, and whose turn it is to use it."""

    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self.connection: asyncpg.Connection | None = None


class Lanes:
    """`patience` is how long, in seconds, to wait for a turn, for a connection, and for an
    answer."""

    def __init__(self, url: str, number: int, patience: float) -> None:
        self._url = url
        self._lanes = [_Lane() for _ in range(number)]
        self._over = False
        self.patience = patience

    async def value(self, bucket: int, statement: str, *arguments: Any) -> Any:
        """The value that a statement gives, executed once, in a transaction of its own.

        Raises what the driver raises; `is_outage` says whether it may have been done.
        """
        lane = self._lanes[bucket % len(self._lanes)]
        if lane.turn.locked():
            async with asyncio.timeout(self.patience):
                await lane.turn.acquire()
        else:
            await lane.turn.acquire()
        try:
            return await self._value(lane, statement, *arguments)
        finally:
            lane.turn.release()

    async def _value(self, lane: _Lane, statement: str, *arguments: Any) -> Any:
        if self._over:
            raise asyncpg.InterfaceError("these connections were closed")
        connection = lane.connection
        if connection is None or connection.is_closed():
            connection = lane.connection = await connect(self._url, self.patience)
        try:
            return await connection.fetchval(statement, *arguments, timeout=self.patience)
        except asyncpg.PostgresError:
            raise  # an answer: the connection is as good as before, or closed
        except BaseException:
            # The statement may be under way still: nobody else may wait behind it.
            connection.terminate()
            raise

    async def close(self) -> None:
        """Close all connections, after what is under way; one that takes too long is given up."""
        self._over = True
        await asyncio.gather(*(self._close(lane) for lane in self._lanes))

    async def _close(self, lane: _Lane) -> None:
        try:
            async with asyncio.timeout(self.patience), lane.turn:
                if lane.connection is not None:
                    await lane.connection.close()
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            if lane.connection is not None:
                lane.connection.terminate()


@asynccontextmanager
async def open_lanes(url: str, *, number: int, patience: float = 10.0) -> AsyncIterator[Lanes]:
    """So many connections at most, made when they are needed."""
    lanes = Lanes(url, number, patience)
    try:
        yield lanes
    finally:
        await lanes.close()
