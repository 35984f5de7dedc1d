"""A server in front of PostgreSQL that breaks connections at the worst moments."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

Moment = Literal["before the request", "halfway through it", "before the answer"]
MOMENTS: tuple[Moment, ...] = ("before the request", "halfway through it", "before the answer")


class Line:
    """One client's connection, and its other half to the server."""

    def __init__(
        self,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        server: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        self.from_client, self.to_client = client
        self.from_server, self.to_server = server
        self.client_is_gone = False
        self.answered = asyncio.Event()

    def hang_up_on_the_client(self) -> None:
        self.client_is_gone = True
        self.to_client.transport.abort()

    def hang_up(self) -> None:
        self.hang_up_on_the_client()
        self.to_server.transport.abort()


class Proxy:
    """Passes everything on, until a test says otherwise."""

    def __init__(self, database_url: str) -> None:
        self._upstream = database_url
        self._spoil: Callable[[Line, bytes], bool] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._lines: list[Line] = []
        self.is_down = False
        self.is_silent = False
        self.spoiled = asyncio.Event()
        self.ignored = asyncio.Event()
        self._late: tuple[Line, bytes] | None = None

    def cut(self, moment: Moment) -> None:
        """Cut the connection that brings the next request, at that moment of it."""

        def spoil(line: Line, request: bytes) -> bool:
            if moment == "before the answer":
                line.client_is_gone = True
                self._start(self._hang_up_when_answered(line))
                return True
            if moment == "halfway through it":
                line.to_server.write(request[: len(request) // 2])
            line.hang_up()
            return False

        self._spoil = spoil

    def hang_up_at_once(self) -> None:
        """Let the next request through, but not its client wait for the answer."""

        def spoil(line: Line, request: bytes) -> bool:
            line.hang_up_on_the_client()
            return True

        self._spoil = spoil

    def hold_back(self) -> None:
        """Keep the next request on its way while its client loses the connection."""

        def spoil(line: Line, request: bytes) -> bool:
            self._late = line, request
            line.hang_up_on_the_client()
            return False

        self._spoil = spoil

    async def deliver_late(self) -> None:
        """Bring the server what was held back, and wait until it is done with it."""
        assert self._late is not None
        line, request = self._late
        line.to_server.write(request)
        await line.answered.wait()

    def go_down(self) -> None:
        """Lose all connections and take no more."""
        self.is_down = True
        for line in self._lines:
            line.hang_up()

    async def close(self) -> None:
        for line in self._lines:
            line.hang_up()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.is_down:
            writer.transport.abort()
            return
        line = Line((reader, writer), await self._connect())
        self._lines.append(line)
        self._start(self._pass_requests(line))
        self._start(self._pass_answers(line))

    async def _pass_requests(self, line: Line) -> None:
        while request := await line.from_client.read(1 << 16):
            spoil, self._spoil = self._spoil, None
            if spoil is not None:
                self.spoiled.set()
                if not spoil(line, request):
                    return
            line.to_server.write(request)
        if not line.client_is_gone:
            line.to_server.transport.abort()

    async def _pass_answers(self, line: Line) -> None:
        while answer := await line.from_server.read(1 << 16):
            if line.client_is_gone:
                line.answered.set()
            elif self.is_silent:
                self.ignored.set()
            else:
                line.to_client.write(answer)
        line.to_client.transport.abort()

    async def _hang_up_when_answered(self, line: Line) -> None:
        await line.answered.wait()
        line.hang_up()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        parts = urlsplit(self._upstream)
        options = parse_qs(parts.query)
        port = parts.port or int(options.get("port", ["5432"])[0])
        host = parts.hostname or options["host"][0]
        if host.startswith("/"):
            return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        return await asyncio.open_connection(host, port)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.add(asyncio.create_task(work))


@asynccontextmanager
async def proxy_of(database_url: str) -> AsyncIterator[tuple[Proxy, str]]:
    """A proxy, and the URL of the database behind it."""
    proxy = Proxy(database_url)
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    parts = urlsplit(database_url)
    user = (parts.netloc.rpartition("@")[0] or "postgres") + "@"
    try:
        yield proxy, f"postgresql://{user}{host}:{port}{parts.path}?sslmode=disable"
    finally:
        server.close()
        await proxy.close()
        await server.wait_closed()
