"""Whoever is slow costs little and delays nobody: readers, their absence, and the disk."""

from __future__ import annotations

import asyncio
import resource
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import psutil
import pytest
from aiohttp.test_utils import TestServer

from tests.e2e.client import Client, Frame, frames
from tests.e2e.process import Server, server
from tests.runtime.asking import PATIENCE, Desk, desk, said, say
from tests.runtime.disk import Disk
from tests.runtime.waiting import until
from tests.upstream import ParsedRequest, Reply, Say, Upstream
from turnlog.http.app import ROOT, STREAMS, make_app
from turnlog.http.streams import MAX_UNSENT_BYTES, Streams
from turnlog.runtime.application import Turnlog
from turnlog.runtime.letters import MAX_WAITING_CHARACTERS

CLAUDE = {"modelProviderId": "anthropic", "modelProviderApi": "messages", "model": "claude"}
MB = 1 << 20
QUIET_SECONDS = 0.5
LONG = 32 * MB  # more than the kernel keeps for one that does not read
STUCK = 60
VANISHING = 1000
BEGUN = b":keepalive\n\n"
OWN_FILES = 50  # its connections to the database come and go
AT_ONCE = 100  # as many as fit into the queue of a listening socket
FILES = 2 * VANISHING + 500


@pytest.fixture(autouse=True, scope="module")
def enough_files() -> Iterator[None]:
    """As many open files as the readers need, also in the servers that are started here."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < FILES:
        pytest.skip(f"needs {FILES} open files; ulimit -Hn says {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, FILES), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    """A provider that has a lot to say, in large pieces."""
    async with Upstream(lambda _: Reply([Say("longer " * (LONG // 7))])) as upstream:
        upstream.service.chunk_size = 8192
        yield upstream


@pytest.fixture
async def running(database_url: str, upstream: Upstream) -> AsyncIterator[Server]:
    env = {"ANTHROPIC_API_KEY": "key", "ANTHROPIC_BASE_URL": upstream.url}
    async with server("--database-url", database_url, env=env) as running:
        yield running


class Subscriber:
    """A reader's bare socket: it reads when the test does. HTTP/1.0, to have no chunks."""

    def __init__(self) -> None:
        self._socket = socket.socket()
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._begun = b""

    async def subscribe(self, api: str, conversation: str, after: str = "latest") -> None:
        """The stream has begun when this returns."""
        url = urlsplit(api)
        path = f"{url.path}/conversations/{conversation}/events?after={after}"
        asked = f"GET {path} HTTP/1.0\r\nHost: {url.netloc}\r\nAccept: text/event-stream\r\n\r\n"
        loop = asyncio.get_running_loop()
        await loop.sock_connect(self._socket, (url.hostname, url.port))
        await loop.sock_sendall(self._socket, asked.encode())
        seen = b""
        while BEGUN not in seen:
            received = await loop.sock_recv(self._socket, 1024)
            assert received, seen
            seen += received
        # What is past may come along with the first word.
        self._begun = seen.partition(BEGUN)[2]

    async def turn(self) -> list[Frame]:
        """Read on, to the end of a turn."""
        reader, writer = await asyncio.open_connection(sock=self._socket, limit=MB)
        reader.feed_data(self._begun)
        seen: list[Frame] = []
        async for frame in frames(reader):
            seen.append(frame)
            if frame.event == "turn.completed":
                break
        writer.close()
        return seen

    def vanish(self) -> None:
        """Break off."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self._socket.close()


def memory(running: Server) -> int:
    """What the server holds, in bytes."""
    return int(psutil.Process(running.process.pid).memory_info().rss)


def open_files(running: Server) -> int:
    return int(psutil.Process(running.process.pid).num_fds())


@asynccontextmanager
async def subscribed(
    number: int, api: str, conversation: str, after: str = "latest"
) -> AsyncIterator[list[Subscriber]]:
    """So many readers that do not read; in the end they vanish."""
    readers = [Subscriber() for _ in range(number)]
    try:
        for start in range(0, number, AT_ONCE):
            some = readers[start : start + AT_ONCE]
            await asyncio.gather(*(one.subscribe(api, conversation, after) for one in some))
        yield readers
    finally:
        for one in readers:
            one.vanish()


async def test_readers_that_do_not_read_cost_little_and_delay_nobody(
    running: Server, client: Client
) -> None:
    await client.turn(await client.say(await client.create(**CLAUDE), "Hello"))
    before = memory(running)
    conversation = await client.create(**CLAUDE)
    async with subscribed(STUCK, running.api, conversation) as stuck:
        submitted = await client.say(conversation, "Hello")
        whole = await client.turn(submitted)
        assert sum(len(frame.payload.get("delta", "")) for frame in whole) == LONG // 7 * 7
        assert memory(running) - before < STUCK * MB
        late = await stuck[0].turn()
        assert [frame.raw for frame in late] == [frame.raw for frame in whole]


async def test_readers_who_do_not_read_what_is_past_cost_as_little(
    running: Server, client: Client
) -> None:
    conversation = await client.create(**CLAUDE)
    submitted = await client.say(conversation, "Hello")
    whole = await client.turn(submitted)
    before = memory(running)
    after = str(whole[0].offset - 1)
    async with subscribed(STUCK, running.api, conversation, after) as stuck:
        assert await client.turn(submitted) == whole
        assert memory(running) - before < STUCK * MB
        late = await stuck[0].turn()
        assert [frame.raw for frame in late] == [frame.raw for frame in whole]


async def test_readers_that_vanish_leave_nothing(running: Server, client: Client) -> None:
    conversation = await client.create()
    before = open_files(running)
    held = []
    for _ in range(3):
        async with subscribed(VANISHING, running.api, conversation):
            assert open_files(running) >= before + VANISHING
        async with asyncio.timeout(PATIENCE):
            while open_files(running) > before + OWN_FILES:
                await client.log(conversation)
        held.append(memory(running))
    assert held[-1] - held[0] < 16 * MB
    frames = await client.turn(await client.say(conversation, "/say hello /delay 0"))
    assert frames[-1].event == "turn.completed"


async def test_what_waits_for_a_reader_that_does_not_read_is_bounded() -> None:
    async with at_a_desk() as (at, node, streams, api):
        gate = at.upstream.hold()
        at.upstream.replies(Say("longer " * (LONG // 7)))
        turn = await say(node, "anthropic/messages")
        await gate.reached.wait()
        async with subscribed(3, api, str(turn.conversation_id)):
            gate.open()
            await at.sees(node, turn, "turn.completed")
            unsent = [stream._transport.get_write_buffer_size() for stream in streams._open]
        assert len(unsent) == 3
        assert 0 < max(unsent) < MAX_UNSENT_BYTES + MAX_WAITING_CHARACTERS


async def test_a_thousand_readers_that_vanish_leave_no_stream_no_tail_and_no_task() -> None:
    async with at_a_desk() as (at, node, streams, api):
        gate = at.upstream.hold(1)
        turn = await say(node, "anthropic/messages")
        await gate.reached.wait()
        tasks = len(asyncio.all_tasks())
        async with subscribed(VANISHING, api, str(turn.conversation_id)):
            assert len(streams) == VANISHING
        gate.open()
        await at.sees(node, turn, "turn.completed")
        await until(lambda: not len(streams) and len(asyncio.all_tasks()) < tasks)
        assert node.tails.read_here() == []


async def test_a_provider_that_is_faster_than_the_disk_is_made_to_wait() -> None:
    disk = Disk()
    told = Progress()
    async with desk(disk) as at, at.node() as node:
        at.upstream.service.chunk_size = 16 * 1024
        at.upstream.gate = told
        at.upstream.replies(Say("longer " * (LONG // 7)))
        turn = await say(node, "anthropic/messages")
        await at.sees(node, turn, "message.delta")
        disk.slow = True
        await told.stops()
        assert told.deltas * at.upstream.service.chunk_size < LONG / 2
        disk.slow = False
        disk.release()
        log = await at.sees(node, turn, "turn.completed")
        assert said(log) == "longer " * (LONG // 7)


class Progress:
    """How many deltas the provider got rid of (`Hold`)."""

    def __init__(self) -> None:
        self.deltas = 0
        self._more = asyncio.Event()

    async def __call__(self, request: ParsedRequest, delta: int) -> None:
        self.deltas = delta
        self._more.set()

    async def stops(self) -> None:
        """Wait until it is not heard of any more."""
        try:
            while True:
                self._more.clear()
                async with asyncio.timeout(QUIET_SECONDS):
                    await self._more.wait()
        except TimeoutError:
            pass


@asynccontextmanager
async def at_a_desk() -> AsyncIterator[tuple[Desk, Turnlog, Streams, str]]:
    """A server in this process, whose streams can be looked at, and the URL of its API."""
    async with desk() as at, at.node() as node:
        at.upstream.service.chunk_size = 8192
        app = make_app(node)
        serving = TestServer(app)
        await serving.start_server()
        try:
            yield at, node, app[STREAMS], str(serving.make_url(ROOT))
        finally:
            await serving.close()
