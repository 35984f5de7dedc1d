"""Several nodes on one store, each behind a server of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from aiohttp.test_utils import TestClient, TestServer

from tests.http.server import Api, Node, Ports, node_on
from turnlog.domain.ports import Tool
from turnlog.http.app import make_app


@asynccontextmanager
async def client_of(node: Node) -> AsyncIterator[Api]:
    """A client of a server for the node, which must be at work."""
    client: TestClient[Any, Any] = TestClient(TestServer(make_app(node.turnlog)))
    try:
        await client.start_server()
        yield Api(client, node)
    finally:
        await client.close()


@asynccontextmanager
async def serving(node: Node) -> AsyncIterator[Api]:
    """A client of a server that runs the node."""
    async with node.turnlog.running(drain_seconds=0), client_of(node) as api:
        yield api


@asynccontextmanager
async def two_nodes(ports: Ports, tools: Sequence[Tool] = ()) -> AsyncIterator[tuple[Api, Api]]:
    """Clients of two nodes on the same store."""
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(serving(node_on(ports, tools)))
        other = await stack.enter_async_context(serving(node_on(ports, tools)))
        yield one, other
