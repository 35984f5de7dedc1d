"""A whole server for each test: the real application on a real socket.

Its log is in memory, or, where TURNLOG_TEST_HTTP_STORES says so (`memory,postgres`), in a
database.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from pytest_aiohttp import AiohttpClient

from tests.conftest import create_database, drop_database, in_a_loop, with_database
from tests.http.server import Api, Node, node_in_memory, node_on, postgres_ports
from tests.store.conftest import EMPTY, execute
from turnlog.adapters.postgres import open_postgres
from turnlog.domain.ports import Tool
from turnlog.http.app import make_app

STORES = os.environ.get("TURNLOG_TEST_HTTP_STORES", "memory").split(",")


@pytest.fixture(scope="session")
def database_for_http(server_url: str, template_database: str) -> Iterator[str]:
    name = create_database(server_url, template=template_database)
    yield with_database(server_url, name)
    drop_database(server_url, name)


@pytest.fixture
def tools() -> Sequence[Tool]:
    """The tools that run on the node; those of a module may be others."""
    return ()


@pytest.fixture(params=STORES)
async def node(request: pytest.FixtureRequest, tools: Sequence[Tool]) -> AsyncIterator[Node]:
    """The node under test, on an empty store."""
    if request.param == "memory":
        yield node_in_memory(tools)
        return
    url: str = request.getfixturevalue("database_for_http")
    in_a_loop(execute(url, EMPTY + "DELETE FROM idempotency_records; DELETE FROM nodes;"))
    async with open_postgres(url) as postgres:
        yield node_on(postgres_ports(postgres), tools)


@pytest.fixture
async def api(node: Node, aiohttp_client: AiohttpClient) -> AsyncIterator[Api]:
    """A client of a server that runs the node, and so its turns."""
    async with node.turnlog.running(drain_seconds=0):
        server = TestServer(make_app(node.turnlog))
        client: TestClient[Any, Any] = await aiohttp_client(
            server, server_kwargs={"handler_cancellation": True}
        )
        yield Api(client, node)
