"""A PostgreSQL of the run's own, which is crashed and comes back."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg

from tests.chaos.wires import Ends
from turnlog.adapters.embedded import running_postgres
from turnlog.adapters.embedded.cluster import Cluster
from turnlog.adapters.embedded.postmaster import PORT, find_postmaster

SETTINGS = {"fsync": "on", "shared_buffers": "64MB", "max_connections": "100"}


class Database:
    """One PostgreSQL, that is truly on disk."""

    def __init__(self, folder: Path, url: str) -> None:
        self.url = url
        self._folder = folder / "postgres"

    async def crash(self, how: signal.Signals) -> None:
        """SIGQUIT stops it without a checkpoint; SIGKILL gives it no time for anything."""
        postmaster = find_postmaster(self._folder)
        assert postmaster is not None
        os.kill(postmaster.pid, how)
        while find_postmaster(self._folder) is not None:  # noqa: ASYNC110 - it is no child of ours
            await asyncio.sleep(0.02)

    async def stop(self) -> None:
        """Stop it in order, without waiting for its clients."""
        await asyncio.to_thread(Cluster(self._folder).stop)

    async def start(self) -> None:
        """Start it again, and let it recover."""
        cluster = Cluster(self._folder)
        await asyncio.to_thread(cluster.ensure_running, SETTINGS, others_use_it=False)

    async def connect(self) -> Ends:
        """A socket to it."""
        postmaster = find_postmaster(self._folder)
        if postmaster is None:
            raise ConnectionRefusedError
        return await asyncio.open_unix_connection(f"{postmaster.socket_dir}/.s.PGSQL.{PORT}")

    async def rows(self, query: str, *arguments: Any) -> list[asyncpg.Record]:
        """What a query finds, past all wires."""
        connection = await asyncpg.connect(self.url)
        try:
            rows: list[asyncpg.Record] = await connection.fetch(query, *arguments)
            return rows
        finally:
            await connection.close()


@asynccontextmanager
async def database(folder: Path) -> AsyncIterator[Database]:
    """A new one in the folder, running, which nobody but the run starts again."""
    server = running_postgres(folder, SETTINGS)
    url = await asyncio.to_thread(server.__enter__)
    try:
        yield Database(folder, url)
    finally:
        await asyncio.to_thread(server.__exit__, None, None, None)
