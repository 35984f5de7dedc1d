"""A server on a database of its own, and a client of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.e2e.client import Client
from tests.e2e.process import Server, server


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        yield session


@pytest.fixture
async def running(database_url: str) -> AsyncIterator[Server]:
    async with server("--database-url", database_url) as running:
        yield running


@pytest.fixture
def client(running: Server, http: aiohttp.ClientSession) -> Client:
    return Client(http, running.api)
