"""Connections to the database: few, bounded in time, and honest about what may have happened."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Literal

import asyncpg

from turnlog.adapters.postgres.outages import is_outage, outages_told

Plans = Literal["auto", "force_custom_plan"]

_SETTINGS = {
    "application_name": "turnlog",
    "default_transaction_isolation": "read committed",
    "jit": "off",
}

_SYNCHRONOUS = """
SELECT set_config('synchronous_commit', 'on', false)
WHERE current_setting('synchronous_commit') = 'off'
"""


class Connections:
    """A bounded pool. `patience` is how long, in seconds, to wait for a connection, and
    again for an answer."""

    def __init__(self, pool: asyncpg.Pool, patience: float) -> None:
        self._pool = pool
        self.patience = patience

    async def rows(self, query: str, *arguments: Any) -> list[asyncpg.Record]:
        """What a query finds. A lost connection costs a second try; then `StoreUnavailable`."""
        with outages_told():
            try:
                return await self._fetch(query, *arguments)
            except TimeoutError:
                raise
            except Exception as error:
                if not is_outage(error):
                    raise
            return await self._fetch(query, *arguments)

    async def row(self, query: str, *arguments: Any) -> asyncpg.Record | None:
        """The first row, or None."""
        rows = await self.rows(query, *arguments)
        return rows[0] if rows else None

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[asyncpg.pool.PoolConnectionProxy]:
        """A connection for one transaction. Raises what the driver raises.

        Who is cancelled does not wait for the database, which may be silent: the
        connection is broken off, and that ends the transaction.
        """
        async with self._pool.acquire(timeout=self.patience) as connection:
            transaction = connection.transaction()
            try:
                async with asyncio.timeout(self.patience):
                    await transaction.start()
                yield connection
                async with asyncio.timeout(self.patience):
                    await transaction.commit()
            except asyncio.CancelledError:
                _break_off(connection)
                raise
            except BaseException:
                await self._roll_back(connection, transaction)
                raise

    async def _roll_back(
        self,
        connection: asyncpg.pool.PoolConnectionProxy,
        transaction: asyncpg.transaction.Transaction,
    ) -> None:
        """End a transaction that failed; with its connection, if nothing else will do."""
        try:
            async with asyncio.timeout(self.patience):
                await transaction.rollback()
        except asyncio.CancelledError:
            _break_off(connection)
            raise
        except Exception:
            _break_off(connection)

    async def _fetch(self, query: str, *arguments: Any) -> list[asyncpg.Record]:
        async with self._pool.acquire(timeout=self.patience) as connection:
            return await connection.fetch(query, *arguments, timeout=self.patience)


@asynccontextmanager
async def open_connections(
    url: str, *, size: int, patience: float = 10.0, plans: Plans = "auto"
) -> AsyncIterator[Connections]:
    """At most `size` connections to the database, made when they are needed.

    With `plans="force_custom_plan"` each query is planned for its arguments and for the
    tables as they are; a plan is kept otherwise.
    """
    pool = await asyncpg.create_pool(
        url,
        min_size=0,
        max_size=size,
        max_queries=sys.maxsize,
        max_inactive_connection_lifetime=0,
        timeout=patience,
        server_settings=_SETTINGS | {"plan_cache_mode": plans},
        init=_begin,
        reset=_keep,
    )
    try:
        yield Connections(pool, patience)
    finally:
        try:
            await asyncio.wait_for(pool.close(), timeout=patience)
        except TimeoutError:
            pool.terminate()


async def connect(url: str, patience: float) -> asyncpg.Connection:
    """A single connection, set as all are; its plans are kept."""
    connection = await asyncpg.connect(url, timeout=patience, server_settings=_SETTINGS)
    try:
        async with asyncio.timeout(patience):
            await _begin(connection)
    except BaseException:
        connection.terminate()
        raise
    return connection


def _break_off(connection: asyncpg.pool.PoolConnectionProxy) -> None:
    with suppress(asyncpg.InterfaceError):  # it may be gone already
        connection.terminate()


async def _begin(connection: asyncpg.Connection) -> None:
    await connection.execute(_SYNCHRONOUS)


async def _keep(connection: object) -> None:
    """No statement of ours leaves anything behind: no need for a round trip that tidies up."""
