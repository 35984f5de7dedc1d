"""One connection that follows a log: at its reader's pace, and with nothing missed."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Sequence

import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_writer import StreamWriter
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.domain import ask
from tests.runtime.disk import Disk
from tests.runtime.given import appended
from tests.runtime.waiting import everything_else, until
from turnlog.domain.codec import decode
from turnlog.domain.records import Append, Entry
from turnlog.http import streams
from turnlog.http.streams import (
    KEEPALIVE_SECONDS,
    MAX_UNSENT_BYTES,
    STALL_SECONDS,
    Stream,
    Streams,
)
from turnlog.projections.context import Context
from turnlog.projections.frames import KEEPALIVE
from turnlog.projections.view import View, view_of
from turnlog.runtime.tail import Tail

KIB = "x" * 1024
LONG = appended(
    ask.create(),
    ask.submit(),
    ask.start_step(),
    ask.start_item(),
    *(ask.append_text(KIB) for _ in range(400)),
    ask.complete_item(),
    ask.complete_step(),
    ask.complete_turn(),
)
END = len(LONG.entries)
CODEX = view_of(dialect_name="codex", tools="full")


def frames(first: int, last: int = END, view: View | None = None) -> bytes:
    """The frames from one offset to another, without `retry:`."""
    view, context = view or View(), Context()
    for entry in LONG.entries:
        context.learn(entry.offset, decode(entry.topic, entry.state))
    return b"".join(view.render(entry, context) for entry in LONG.entries[first - 1 : last])


class Wire(asyncio.Transport):
    """A connection whose other end reads when the test says so."""

    def __init__(self, protocol: BaseProtocol) -> None:
        super().__init__()
        self._protocol = protocol
        self._unsent = bytearray()
        self._full = False
        self.aborted = False
        self.most_unsent = 0
        self.received = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._unsent += data
        self.most_unsent = max(self.most_unsent, len(self._unsent))
        if len(self._unsent) > 64 * 1024 and not self._full:
            self._full = True
            self._protocol.pause_writing()

    def read(self) -> bytes:
        """What has come since the last time, as its reader sees it."""
        news, self._unsent = bytes(self._unsent), bytearray()
        self.received += news
        if self._full:
            self._full = False
            self._protocol.resume_writing()
        return news

    def get_write_buffer_size(self) -> int:
        return len(self._unsent)

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True
        asyncio.get_running_loop().call_soon(self._protocol.connection_lost, None)


class Open:
    """A stream at work on its wire."""

    def __init__(self, tail: Tail, disk: Disk, cursor: int, view: View, *, follow: bool) -> None:
        loop = asyncio.get_running_loop()
        protocol = BaseProtocol(loop)
        self.wire = Wire(protocol)
        protocol.connection_made(self.wire)
        self.tail = tail
        self.disk = disk
        self.stream = Stream(
            self.wire, StreamWriter(protocol, loop), tail, view, cursor, follow=follow
        )
        self.task = asyncio.create_task(self.stream.run(disk))
        self.time: Callable[[], float] = loop.time

    async def write(self, first: int, last: int) -> None:
        """The entries are committed and shown."""
        entries = LONG.entries[first - 1 : last]
        await commit(self.disk, entries)
        self.tail.publish(entries)

    def log(self) -> bytes:
        """The frames that its reader has seen, without what is not of the log."""
        return re.sub(rb":keepalive\n\n|retry: 3000\n", b"", self.wire.received)


async def commit(disk: Disk, entries: Sequence[Entry]) -> None:
    head = await disk.memory.head(ask.CONVERSATION) or LONG.head
    append = Append(conversation_id=ask.CONVERSATION, head=head, entries=tuple(entries))
    bucket = ask.CONVERSATION.bytes[-1] % disk.buckets
    assert await disk.append(bucket, [append]) == [True]


async def new_log() -> Disk:
    """A disk with the log's first entry."""
    disk = Disk()
    await commit(disk, LONG.entries[:1])
    return disk


OpenStream = Callable[..., Open]


@pytest.fixture
async def opened() -> AsyncIterator[OpenStream]:
    """Opens streams of a log, all on one tail; its first entry is written."""
    disk, tail = await new_log(), Tail(ask.CONVERSATION)
    streams: list[Open] = []

    def open_stream(cursor: int = 0, view: View | None = None, *, follow: bool = True) -> Open:
        streams.append(Open(tail, disk, cursor, view or View(), follow=follow))
        return streams[-1]

    yield open_stream
    for stream in streams:
        stream.task.cancel()
    await asyncio.gather(*(stream.task for stream in streams), return_exceptions=True)


async def test_a_stream_says_at_once_that_it_lives(opened: OpenStream) -> None:
    assert opened().wire.read() == KEEPALIVE


async def test_replay_becomes_live_without_a_seam(opened: OpenStream) -> None:
    writer = opened()
    await writer.write(2, 10)
    reader = opened(2)
    await everything_else()
    await reader.write(11, 20)
    reader.wire.read()
    assert reader.wire.received == KEEPALIVE + b"retry: 3000\n" + frames(3, 20)
    writer.wire.read()
    assert writer.log() == frames(1, 20)


async def test_a_stream_that_does_not_follow_ends_where_the_log_does(opened: OpenStream) -> None:
    await opened().write(2, END)
    reader = opened(follow=False)
    while not reader.task.done():
        await everything_else()
        reader.wire.read()
    assert reader.log() == frames(1)


async def test_a_turns_stream_ends_after_its_last_event(opened: OpenStream) -> None:
    view = View(turn_id=ask.TURN)
    reader = opened(0, view)
    await reader.write(2, 10)
    await everything_else()
    assert not reader.task.done()
    await reader.write(11, END)
    await until(reader.task.done)
    reader.wire.read()
    assert reader.log() == frames(1, view=view)


async def test_whoever_looks_at_a_dialect_that_needs_context_sees_the_same_live_and_later(
    opened: OpenStream,
) -> None:
    live = opened(0, CODEX)
    for first, last in ((2, 4), (5, 9), (10, END)):
        await live.write(first, last)
        await everything_else()
        live.wire.read()
        await everything_else()
    late = opened(0, CODEX, follow=False)
    while not late.task.done():
        await everything_else()
        late.wire.read()
    live.wire.read()
    assert live.log() == late.log() == frames(1, view=CODEX)


# -------------------------------------------------------------------- silence


async def test_a_silence_is_broken_by_a_keepalive(opened: OpenStream) -> None:
    reader = opened()
    await reader.write(2, 4)
    await everything_else()
    reader.wire.read()
    spoke = reader.time()
    reader.stream.tick(spoke + KEEPALIVE_SECONDS - 1)
    assert reader.wire.read() == b""
    reader.stream.tick(spoke + KEEPALIVE_SECONDS + 1)
    assert reader.wire.read() == KEEPALIVE


async def test_a_stream_that_speaks_needs_no_keepalive(
    opened: OpenStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = opened()
    await reader.write(2, 4)
    await everything_else()
    began = reader.time()
    monkeypatch.setattr(reader.stream, "_time", lambda: began + KEEPALIVE_SECONDS)
    await reader.write(5, 6)
    reader.wire.read()
    reader.stream.tick(began + KEEPALIVE_SECONDS + 2)
    assert reader.wire.read() == b""


async def test_all_open_streams_are_kept_alive(
    opened: OpenStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "TICK_SECONDS", 0)
    monkeypatch.setattr(streams, "KEEPALIVE_SECONDS", -1)
    open_ones, closed = Streams(), opened()
    readers = [opened(), opened()]
    for reader in (*readers, closed):
        open_ones.add(reader.stream)
        reader.wire.read()
    open_ones.remove(closed.stream)
    ticking = asyncio.create_task(open_ones.tick())
    await everything_else()
    ticking.cancel()
    assert len(open_ones) == 2
    assert all(reader.wire.read().endswith(KEEPALIVE) for reader in readers)
    assert KEEPALIVE not in closed.wire.read()


# --------------------------------------------------------- readers that are slow


async def test_a_reader_that_does_not_read_costs_little_and_is_hung_up_on(
    opened: OpenStream,
) -> None:
    reader, other = opened(), opened()
    for n in range(2, END + 1):
        await reader.write(n, n)
        await everything_else()
        other.wire.read()
    other.wire.read()
    assert other.log() == frames(1)
    assert reader.wire.most_unsent <= MAX_UNSENT_BYTES + 4096
    began = reader.time()
    reader.stream.tick(began + STALL_SECONDS - 1)
    assert not reader.wire.aborted
    reader.stream.tick(began + STALL_SECONDS + 1)
    assert reader.wire.aborted
    await until(reader.task.done)


async def test_a_reader_that_is_silent_but_not_stalled_is_not_hung_up_on(
    opened: OpenStream,
) -> None:
    reader = opened()
    await reader.write(2, 4)
    await everything_else()
    reader.stream.tick(reader.time() + 10 * STALL_SECONDS)
    assert not reader.wire.aborted


async def test_a_reader_that_fell_behind_catches_up_with_nothing_missed(
    opened: OpenStream,
) -> None:
    reader = opened()
    for n in range(2, 301):
        await reader.write(n, n)
        await everything_else()
    stuck = reader.stream.cursor
    assert stuck < 300
    reader.wire.read()
    await everything_else()
    assert stuck < reader.stream.cursor
    for n in range(301, END + 1):
        await reader.write(n, n)
        reader.wire.read()
        await everything_else()
    reader.wire.read()
    assert reader.log() == frames(1)


async def test_a_reader_that_fell_behind_the_window_pages_from_the_table(
    opened: OpenStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("turnlog.runtime.tail.WINDOW_BYTES", 4096)
    reader = opened()
    for n in range(2, END + 1):
        await reader.write(n, n)
        await everything_else()
    reads = reader.disk.reads
    while reader.stream.cursor < END:
        reader.wire.read()
        await everything_else()
    reader.wire.read()
    assert reader.disk.reads > reads
    assert reader.log() == frames(1)


@settings(deadline=None, max_examples=25)
@given(
    acts=st.lists(
        st.tuples(st.sampled_from(["write", "read", "arrive"]), st.integers(1, 120)), max_size=20
    )
)
def test_at_whatever_pace_they_read_each_sees_exactly_the_log(acts: list[tuple[str, int]]) -> None:
    async def live() -> None:
        disk, tail = await new_log(), Tail(ask.CONVERSATION)
        readers = [Open(tail, disk, 0, View(), follow=True)]
        starts, written = [0], 1

        async def write(count: int) -> None:
            nonlocal written
            last = min(written + count, END)
            if last > written:
                await readers[0].write(written + 1, last)
            written = last

        for act, number in acts:
            if act == "write":
                await write(number)
            elif act == "read":
                readers[number % len(readers)].wire.read()
            else:
                starts.append(number * written // 120)
                readers.append(Open(tail, disk, starts[-1], View(), follow=True))
            await everything_else()
        await write(END)
        for reader, start in zip(readers, starts, strict=True):
            while reader.stream.cursor < END:
                reader.wire.read()
                await everything_else()
            reader.wire.read()
            assert reader.log() == frames(start + 1)
            reader.task.cancel()

    asyncio.run(live())


# ----------------------------------------------------------------------- the end


async def test_when_the_server_stops_every_stream_ends_cleanly(opened: OpenStream) -> None:
    open_ones, readers = Streams(), [opened(), opened()]
    await readers[0].write(2, 10)
    for reader in readers:
        open_ones.add(reader.stream)
    await everything_else()
    open_ones.end()
    assert open_ones.draining
    for reader in readers:
        await until(reader.task.done)
        assert reader.task.exception() is None
        reader.wire.read()
        assert reader.log() == frames(1, 10)


async def test_one_whose_connection_is_gone_is_written_to_no_more(opened: OpenStream) -> None:
    reader = opened()
    await reader.write(2, 4)
    await everything_else()
    before = reader.wire.get_write_buffer_size()
    reader.wire.aborted = True
    await reader.write(5, 6)
    assert reader.wire.get_write_buffer_size() == before
    await until(reader.task.done)


async def test_readers_of_the_same_bytes_share_their_chunk(opened: OpenStream) -> None:
    one = streams._chunked(shared := frames(1, 4))
    assert one == b"%x\r\n" % len(shared) + shared + b"\r\n"
    assert streams._chunked(shared) is one
    assert streams._chunked(frames(1, 5)) != one
