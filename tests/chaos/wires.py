"""Wires between processes, that can be cut, refused, or made to keep what is under way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Line:
    """One connection: its ends, and whether what is sent goes on."""

    def __init__(self, near: asyncio.StreamWriter) -> None:
        self.ends = [near]
        self.flowing = asyncio.Event()

    def cut(self) -> None:
        for end in self.ends:
            end.transport.abort()


class Wire:
    """A port whose every byte goes on to where `connect` leads."""

    def __init__(self, connect: Callable[[], Awaitable[Ends]]) -> None:
        self.connect = connect
        self.port = 0
        self.refusing = False
        self._holding_new = False
        self._lines: dict[asyncio.Task[None], _Line] = {}

    @property
    def lines(self) -> int:
        """How many connections are open."""
        return len(self._lines)

    def cut(self) -> None:
        """Break all connections at once."""
        for line in self._lines.values():
            line.cut()

    def hold(self, *, new: bool) -> None:
        """Keep what is sent on the connections that there are, both ways, and tell nobody.

        `new` ones, too; else whoever gives up waiting can go on by another connection.
        """
        self._holding_new = new
        for line in self._lines.values():
            line.flowing.clear()

    def let_go(self) -> None:
        """Deliver what was kept."""
        self._holding_new = False
        for line in self._lines.values():
            line.flowing.set()

    async def close(self) -> None:
        """Break all connections, and wait until they are gone."""
        self.let_go()
        self.cut()
        if self._lines:
            await asyncio.wait(list(self._lines))

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Look after one connection, to its end."""
        task = asyncio.current_task()
        assert task is not None
        line = self._lines[task] = _Line(writer)
        if not self._holding_new:
            line.flowing.set()
        try:
            if self.refusing:
                return
            far_reader, far_writer = await self.connect()
            line.ends.append(far_writer)
            there = asyncio.create_task(_pass_on(reader, far_writer, line.flowing))
            back = asyncio.create_task(_pass_on(far_reader, writer, line.flowing))
            # Whichever side hangs up, the other is told after what was under way to it.
            await asyncio.wait([there, back], return_when=asyncio.FIRST_COMPLETED)
            far_writer.close()
            writer.close()
            await asyncio.wait([there, back])
        except OSError:
            pass
        finally:
            line.cut()
            del self._lines[task]


async def _pass_on(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, flowing: asyncio.Event
) -> None:
    try:
        while data := await reader.read(1 << 16):
            await flowing.wait()
            writer.write(data)
            await writer.drain()
        await flowing.wait()
    except (OSError, RuntimeError):
        pass


@asynccontextmanager
async def wire(connect: Callable[[], Awaitable[Ends]]) -> AsyncIterator[Wire]:
    """A wire on a port of its own."""
    wire = Wire(connect)
    server = await asyncio.start_server(wire.accept, "127.0.0.1", 0)
    wire.port = server.sockets[0].getsockname()[1]
    try:
        yield wire
    finally:
        server.close()
        await wire.close()
        await server.wait_closed()
