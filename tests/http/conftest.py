"""A whole server for each test: the real application on a real socket, its parts in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from pytest_aiohttp import AiohttpClient

from tests.http.server import Api, Node, node_in_memory
from turnlog.http.app import make_app


@pytest.fixture(params=["memory"])
def node(request: pytest.FixtureRequest) -> Node:
    """The node under test; another store is one more name here."""
    assert request.param == "memory"
    return node_in_memory()


@pytest.fixture
async def api(node: Node, aiohttp_client: AiohttpClient) -> AsyncIterator[Api]:
    """A client of a server that runs the node, and so its turns."""
    async with node.turnlog.running(drain_seconds=0):
        server = TestServer(make_app(node.turnlog))
        client: TestClient[Any, Any] = await aiohttp_client(
            server, server_kwargs={"handler_cancellation": True}
        )
        yield Api(client, node)
