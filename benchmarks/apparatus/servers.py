"""The server under measurement, as an operator would start it."""

from __future__ import annotations

import resource
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from benchmarks.apparatus.bench import Database
from benchmarks.apparatus.spent import processor_seconds
from tests.e2e.process import Server, server

FILES = 12_000


class Node:
    """A running server, and what it has cost."""

    def __init__(self, running: Server) -> None:
        self.api = running.api
        self.pid = running.process.pid
        self._running = running

    def processor_seconds(self) -> float:
        """What it has cost so far."""
        return processor_seconds([self.pid])

    def kill(self) -> None:
        """End it as a power cut would."""
        self._running.kill()


@asynccontextmanager
async def node(database: Database, env: Mapping[str, str] | None = None) -> AsyncIterator[Node]:
    """A server on the database."""
    async with server("--database-url", database.url, env=env) as running:
        yield Node(running)


def allow_files() -> None:
    """As many open files as the subscribers need, also in what is started from here."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(FILES, hard)), hard))
