"""A server of tools: connected at its first use, and again after each failure."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from math import ceil
from typing import Any, TypeVar

import structlog
from mcp import types
from mcp.shared.exceptions import MCPError
from mcp.types import CONNECTION_CLOSED
from pydantic import ValidationError

from turnlog.adapters.mcp.backoff import Backoff
from turnlog.adapters.mcp.calls import call
from turnlog.adapters.mcp.connection import Connection
from turnlog.adapters.mcp.results import cut, shown
from turnlog.adapters.mcp.rules import Rules
from turnlog.adapters.mcp.wire import ServerFailed, Wire
from turnlog.domain.errors import ToolFailed
from turnlog.domain.ports import Progress
from turnlog.domain.tools import ToolSpec

NO_WORD = "Server returned an error response"
"""What the SDK says where there was an HTTP status and nothing else."""

T = TypeVar("T")

log = structlog.get_logger(__name__)


class McpServer:
    """The server of that name; `wire` makes a new connection to it, each used once."""

    def __init__(
        self,
        name: str,
        wire: Callable[[], Wire],
        rules: Rules | None = None,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._wire = wire
        self._rules = rules or Rules()
        self._backoff = Backoff(now)
        self._connection: Connection | None = None
        self._connections: list[Connection] = []
        self._listed: Sequence[types.Tool] = ()
        self._tools: Sequence[McpTool] = ()
        self._closed = False

    @property
    def name(self) -> str:
        """By which conversations choose it."""
        return self._name

    async def tools(self) -> Sequence[McpTool]:
        """The tools that it has now. Raises `ToolFailed`."""
        listed = await self._ask(lambda connection: connection.tools())
        if listed is not self._listed:
            specs = self._rules.specs(self._name, listed)
            self._tools = tuple(McpTool(self, name, spec) for name, spec in specs)
            self._listed = listed
        return self._tools

    async def call(self, tool: str, arguments: dict[str, Any], key: str, progress: Progress) -> str:
        """The output of the tool, by the server's own name for it. Raises `ToolFailed`."""

        async def answered(connection: Connection) -> str:
            try:
                output = await call(connection, tool, arguments, key, progress)
            except ToolFailed:  # so says the tool, and its server works
                self._backoff.reset()
                raise
            self._backoff.reset()
            return output

        return await self._ask(answered)

    async def close(self) -> None:
        """End the server, and take no more calls."""
        self._closed = True
        await asyncio.gather(*(connection.close() for connection in self._connections))

    async def _ask(self, what: Callable[[Connection], Awaitable[T]]) -> T:
        """The answer over the connection, or over a new one if the server forgot the old one.

        Raises `ToolFailed`.
        """
        for again in (True, False):
            connection = await self._connected()
            try:
                return await what(connection)
            except ServerFailed as failure:
                raise self._failed(str(failure)) from None
            except ValidationError:
                raise self._failed("answered with something that is no answer") from None
            except MCPError as error:
                lost = connection.wire.lost and error.code != CONNECTION_CLOSED
                if not (lost and again):
                    raise await self._refusal(connection, error) from None
            # It was not done, since the server did not know us: it gets to know us anew.
            await connection.close()
        raise AssertionError

    async def _connected(self) -> Connection:
        """The connection, begun if there is none. Raises `ToolFailed` in a pause."""
        if self._connection is not None:
            await self._connection.settled()
        if self._closed:
            raise ToolFailed(f"The tool server '{self._name}' is being stopped.")
        known = self._connection
        if known is None or known.over or known.asked_to_end:
            if pause := self._backoff.pause():
                reason = known.reason if known else "failed"
                raise ToolFailed(
                    f"The tool server '{self._name}' {reason}, and not for the first time. "
                    f"It is tried again in {ceil(pause)} s at the earliest."
                )
            self._connection = known = Connection(
                self._wire(), start_seconds=self._rules.start_seconds, ended=self._ended
            )
            self._connections = [it for it in self._connections if not it.gone]
            self._connections.append(known)
        return known

    def _ended(self, connection: Connection) -> None:
        if not connection.asked_to_end:
            self._backoff.failed()
            log.warning("mcp.server_failed", server=self._name, reason=connection.reason)

    async def _refusal(self, connection: Connection, error: MCPError) -> ToolFailed:
        """What the model is told of an answer that is an error, or that never came."""
        if error.code == CONNECTION_CLOSED:
            await connection.closed(f"broke off the connection ({error.error.message})")
            return self._failed(
                f"{connection.reason} before it had answered; it may have done what was asked"
            )
        if error.error.message == NO_WORD:
            return self._failed(f"refused with the HTTP status {connection.wire.status}")
        return ToolFailed(cut(shown(error.error.message)) or "The tool failed.")

    def _failed(self, what: str) -> ToolFailed:
        return ToolFailed(f"The tool server '{self._name}' {shown(what)}.")


class McpTool:
    """A tool of a server."""

    def __init__(self, server: McpServer, name: str, spec: ToolSpec) -> None:
        self._server = server
        self._name = name
        self._spec = spec

    @property
    def spec(self) -> ToolSpec:
        """What models are told of it."""
        return self._spec

    async def run(self, arguments: dict[str, Any], key: str, progress: Progress) -> str:
        """The output; raises `ToolFailed`."""
        return await self._server.call(self._name, arguments, key, progress)
