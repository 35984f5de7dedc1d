"""A connection that aiohttp lets go of once it is a stream.

What aiohttp keeps for a connection, and for the request that is answered on it, is several
times what a stream needs that only waits to be written to. Nothing is read any more; and
the connection ends with the stream.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from typing import Any

from aiohttp import web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_writer import StreamWriter


class StreamResponse(web.StreamResponse):
    """A response whose end is no longer aiohttp's matter, once the connection was handed over."""

    handed_over = False

    async def write_eof(self, data: bytes = b"") -> None:
        if not self.handed_over:
            await super().write_eof(data)


class Connection(BaseProtocol):
    """What is left of a connection: its transport, whether it is full, and who streams on it."""

    __slots__ = ("_closed", "_streaming", "writer")

    def __init__(self, loop: asyncio.AbstractEventLoop, *, chunked: bool) -> None:
        super().__init__(loop)
        self.writer = StreamWriter(self, loop)
        self.writer.chunked = chunked
        self._streaming: asyncio.Task[None] | None = None
        self._closed: Callable[[], None] | None = None

    def stream(self, work: Coroutine[Any, Any, None], closed: Callable[[], None]) -> None:
        """Do the work, which is cancelled with the connection; `closed` is called after both."""
        self._closed = closed
        # Of the request's context nothing is kept.
        self._streaming = self._loop.create_task(work, context=contextvars.Context())

    def data_received(self, data: bytes) -> None:
        """Whatever else is asked: there is no answer but this stream."""

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        if self._streaming is not None and self._closed is not None:
            self._streaming.cancel()
            self._streaming.add_done_callback(self._over)

    def _over(self, streaming: asyncio.Task[None]) -> None:
        closed, self._closed, self._streaming = self._closed, None, None
        if closed is not None:
            closed()


def hand_over(request: web.Request, response: StreamResponse) -> Connection | None:
    """The connection, taken from aiohttp after the response's headers; None where it is lost."""
    transport, handler = request.transport, request.protocol
    if transport is None:
        return None
    loop = asyncio.get_running_loop()
    connection = Connection(loop, chunked=response.chunked)
    transport.set_protocol(connection)
    connection.connection_made(transport)
    response.handed_over = True
    # To aiohttp this is a connection that was lost: it forgets it, and ends its task.
    handler.transport = None
    handler.connection_lost(None)
    return connection
