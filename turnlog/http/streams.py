"""Server-sent events over one connection: replay, then live, at the reader's own pace.

A live stream costs no work but its writes: what is published is written to its
transport by whoever publishes. Its task wakes only when the reader falls behind,
when the stream ends, or when the server stops.
"""

from __future__ import annotations

import asyncio

from aiohttp.http_writer import StreamWriter

from turnlog.domain.ports import EventStore
from turnlog.http.portions import Portions, portion
from turnlog.projections.context import Context
from turnlog.projections.frames import KEEPALIVE, RETRY
from turnlog.projections.view import View
from turnlog.runtime.tail import Tail

MAX_UNSENT_BYTES = 64 * 1024
KEEPALIVE_SECONDS = 15.0
STALL_SECONDS = 60.0
TICK_SECONDS = 1.0

_NO_CONTEXT = Context()


class _Wake:
    """An `asyncio.Event` for one who waits, a tenth of its size."""

    __slots__ = ("_is_set", "_waiter")

    def __init__(self) -> None:
        self._is_set = False
        self._waiter: asyncio.Future[None] | None = None

    def set(self) -> None:
        self._is_set = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def clear(self) -> None:
        self._is_set = False

    async def wait(self) -> None:
        if not self._is_set:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter


class Outlet:
    """One reader's connection: what is written to it, its silence, and its end."""

    __slots__ = (
        "_chunked",
        "_first",
        "_over",
        "_spoke",
        "_stalled",
        "_time",
        "_transport",
        "_wake",
        "_writer",
    )

    def __init__(self, transport: asyncio.Transport, writer: StreamWriter) -> None:
        """The headers are written already."""
        self._transport = transport
        self._writer = writer
        self._chunked = writer.chunked
        self._first = True
        self._over = False
        self._wake = _Wake()
        self._time = asyncio.get_running_loop().time
        self._spoke = self._time()
        self._stalled: float | None = None
        self._write(KEEPALIVE)

    async def run(self, store: EventStore) -> None:
        """Show what there is until it, or the stream, ends. Raises `StoreUnavailable`."""
        raise NotImplementedError

    def fall_behind(self) -> None:
        """Go back to reading."""
        self._wake.set()

    def end(self) -> None:
        """End the stream after what was written."""
        self._over = True
        self._wake.set()

    def close(self) -> None:
        """Say that nothing follows, and hang up when that was read, or was not read for long."""
        if not self._transport.is_closing():
            if self._chunked:
                self._transport.write(_LAST_CHUNK)
            self._transport.close()
        self._stalled = self._time()

    def abort(self) -> None:
        """Break off: the reader sees that something is missing."""
        self._transport.abort()

    def tick(self, now: float) -> None:
        """Speak up in a silence; hang up on a reader that does not read."""
        if self._stalled is not None:
            if now - self._stalled > STALL_SECONDS:
                self._transport.abort()
        elif now - self._spoke > KEEPALIVE_SECONDS:
            self._write(KEEPALIVE)

    async def _drained(self) -> None:
        """Wait until the reader has taken most of what was written."""
        self._stalled = self._time()
        try:
            await self._writer.drain()
        finally:
            self._stalled = None

    def _send(self, frames: bytes) -> None:
        if self._first:
            self._first = False
            frames = RETRY + frames
        self._write(frames)

    def _write(self, data: bytes) -> None:
        transport = self._transport
        if transport.is_closing():
            self.end()
            return
        transport.write(_chunked(data) if self._chunked else data)
        self._spoke = self._time()
        if transport.get_write_buffer_size() > MAX_UNSENT_BYTES:
            self.fall_behind()


class Stream(Outlet):
    """One reader of one log (`runtime.tail.Follower`)."""

    __slots__ = ("_follow", "_tail", "cursor", "view")

    def __init__(
        self,
        transport: asyncio.Transport,
        writer: StreamWriter,
        tail: Tail,
        view: View,
        cursor: int,
        *,
        follow: bool,
    ) -> None:
        """`follow`: go on at the log's end."""
        super().__init__(transport, writer)
        self.view = view
        self.cursor = cursor
        self._tail = tail
        self._follow = follow

    async def run(self, store: EventStore) -> None:
        """Show the log from the cursor until it, or the stream, ends."""
        log = Portions(store, self._tail.conversation_id)
        while not self._over:
            self._wake.clear()
            await self._drained()
            if not await self._show_more(store, log) and self._tail.since(self.cursor) == []:
                if not self._follow:
                    return
                await self._live()

    def receive(self, frames: bytes, offset: int, *, ended: bool) -> None:
        """Take what was published, when caught up."""
        self.cursor = offset
        if frames:
            self._write(RETRY + frames if self._first else frames)
            self._first = False
        if ended:
            self.end()

    async def _show_more(self, store: EventStore, log: Portions) -> bool:
        """Show a portion of what follows the cursor; whether there was any."""
        window = self._tail.since(self.cursor)
        entries = await log.read(self.cursor) if window is None else portion(window)
        if not entries:
            if window is None:
                self._tail.reached(self.cursor)
            return False
        context = _NO_CONTEXT
        if self.view.needs_context:
            context = await self._tail.context(store, entries[-1].offset)
        frames = self.view.frames(entries, context)
        ended = any(self.view.is_last(entry) for entry in entries)
        self.receive(frames, entries[-1].offset, ended=ended)
        return True

    async def _live(self) -> None:
        self._tail.attach(self)
        try:
            await self._wake.wait()
        finally:
            self._tail.detach(self)


class Streams:
    """The streams that are open on this node."""

    def __init__(self) -> None:
        self._open: set[Outlet] = set()
        self._none_open = _Wake()
        self.draining = False

    def __len__(self) -> int:
        return len(self._open)

    def add(self, stream: Outlet) -> None:
        """Look after the stream until it is removed."""
        self._open.add(stream)

    def remove(self, stream: Outlet) -> None:
        """The end of `add`."""
        self._open.discard(stream)
        if not self._open:
            self._none_open.set()

    async def tick(self) -> None:
        """Keep the silent ones alive and hang up on the stalled ones, until cancelled."""
        time = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(TICK_SECONDS)
            now = time()
            for stream in self._open:
                stream.tick(now)

    def end(self) -> None:
        """End all streams cleanly, for their readers to resume elsewhere; take no new ones."""
        self.draining = True
        for stream in self._open:
            stream.end()

    async def closed(self, seconds: float) -> None:
        """Wait until all have read their last, for so long at most."""
        self._none_open.clear()
        if self._open:
            try:
                async with asyncio.timeout(seconds):
                    await self._none_open.wait()
            except TimeoutError:
                pass


_LAST_CHUNK = b"0\r\n\r\n"


class _LastChunk:
    """The last frames as an HTTP/1.1 chunk: those who share the frames share it too."""

    frames = b""
    chunk = b""


def _chunked(frames: bytes) -> bytes:
    if frames is not _LastChunk.frames:
        _LastChunk.frames = frames
        _LastChunk.chunk = b"%x\r\n%b\r\n" % (len(frames), frames)
    return _LastChunk.chunk
