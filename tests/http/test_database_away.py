"""The database goes away and comes back: told at once, lost never."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse

from tests.conftest import QUICK_SETTINGS, create_database, drop_database, with_database
from tests.http.nodes import serving
from tests.http.server import DEMO, PATIENCE, Api, node_in_memory, node_on, postgres_ports
from tests.store.proxy import proxy_of
from turnlog.adapters.embedded import running_postgres
from turnlog.adapters.postgres import migrate, open_postgres
from turnlog.runtime import asking

# Seconds. What the defaults are made for takes as many times longer.
PATIENT, SOON = 1.0, 8.0
KEY = {"Idempotency-Key": "one"}
SSE = {"Accept": "text/event-stream"}


class Server:
    """A PostgreSQL that a test may stop and start again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: Any = None
        self.url = ""

    async def start(self) -> None:
        if self._running is None:
            self._running = running_postgres(self._folder, QUICK_SETTINGS)
            self.url = await asyncio.to_thread(self._running.__enter__)

    async def stop(self) -> None:
        running, self._running = self._running, None
        if running is not None:
            await asyncio.to_thread(running.__exit__, None, None, None)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Where PostgreSQL's own account can reach it, which pytest's folders do not allow."""
    folder = Path(tempfile.mkdtemp(prefix="turnlog-away-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
async def server(folder: Path) -> AsyncIterator[Server]:
    server = Server(folder)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def api(server: Server, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Api]:
    """A node on the server, which does not wait for it for long."""
    monkeypatch.setattr(asking, "ANSWER_SECONDS", PATIENT)
    name = await asyncio.to_thread(create_database, server.url)
    url = with_database(server.url, name)
    await migrate(url)
    async with (
        open_postgres(url, patience=PATIENT) as postgres,
        serving(node_on(postgres_ports(postgres))) as api,
    ):
        yield api
    await asyncio.to_thread(drop_database, server.url, name)


async def everything_says_so(api: Api, conversation: Any, turn: Any) -> None:
    """All that needs the database is answered soon, in the way that a client can come back from."""
    here = f"/conversations/{conversation['conversationId']}"
    async with asyncio.timeout(SOON):
        answers = await asyncio.gather(
            api.post(f"{here}/messages", {"message": "/say lost?"}),
            api.post(f"{here}/messages", {"message": "/say kept"}, KEY),
            api.post("/conversations", DEMO),
            api.post("/conversations", DEMO, KEY),
            api.post(f"/turns/{turn['turnId']}/cancel", {}),
            api.patch(here, {"title": "x"}),
            api.get(here),
            api.get("/conversations"),
            api.get(turn["statusUrl"]),
            api.get(f"{here}/events"),
            api.get("/events"),
            api.get("/health?ready=1"),
        )
        streams = await asyncio.gather(
            api.get(turn["streamUrl"]),
            api.get(f"{here}/events", headers=SSE),
            api.get("/events", headers=SSE),
        )
        alive = await api.get("/health")
    for answer in answers:
        assert (answer.status, answer.code) == (503, "STORE_UNAVAILABLE")
        assert answer.headers["Retry-After"] == "1"
    for stream in streams:
        assert stream.status == 200
        assert b"event: stream.unavailable\n" in stream.body
        assert b"id:" not in stream.body
    assert alive.status == 200


async def accepted(api: Api, path: str, body: Any, headers: dict[str, str]) -> Any:
    """Ask as a client does that was told to come back."""
    async with asyncio.timeout(PATIENCE):
        while True:
            answer = await api.post(path, body, headers)
            if answer.status != 503:
                assert answer.status in (201, 202), answer.body
                return answer.json
            await asyncio.sleep(0.05)


async def test_a_database_that_is_stopped_and_comes_back(server: Server, api: Api) -> None:
    conversation = await api.create()
    turn = await api.say(conversation, "/say one two three\n/delay 1")
    waiting = await api.say(conversation, "/say four")
    here = f"/conversations/{conversation['conversationId']}"

    reading = asyncio.create_task(read_as_browsers_do(api, f"{here}/events", turns=3))
    feeding = asyncio.create_task(read_the_feed_as_browsers_do(api, conversation, 3))

    await server.stop()
    await everything_says_so(api, conversation, turn)
    api.node.gate.set()  # the model speaks while nothing can be written
    await everything_says_so(api, conversation, turn)
    await server.start()

    kept = await accepted(api, f"{here}/messages", {"message": "/say kept"}, KEY)
    assert await accepted(api, f"{here}/messages", {"message": "/say kept"}, KEY) == kept
    for each, content in ((turn, "one two three"), (waiting, "four"), (kept, "kept")):
        assert (await api.ended(each))["result"]["content"] == content
    assert (await api.ended(turn))["attempt"] == 1
    async with asyncio.timeout(PATIENCE):
        topics = await api.topics(conversation)
        assert await reading == topics
        assert await feeding == list(range(1, len(topics) + 1))


async def test_a_database_that_says_nothing_any_more_and_comes_back(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "ANSWER_SECONDS", PATIENT)
    name = await asyncio.to_thread(create_database, server.url)
    await migrate(with_database(server.url, name))
    async with (
        proxy_of(with_database(server.url, name)) as (proxy, url),
        open_postgres(url, patience=PATIENT) as postgres,
        serving(node_on(postgres_ports(postgres))) as api,
    ):
        conversation = await api.create()
        turn = await api.say(conversation, "/say one two three\n/delay 1")

        proxy.is_silent = True
        api.node.gate.set()
        await everything_says_so(api, conversation, turn)
        proxy.is_silent = False

        here = f"/conversations/{conversation['conversationId']}"
        kept = await accepted(api, f"{here}/messages", {"message": "/say kept"}, KEY)
        assert (await api.ended(turn))["result"]["content"] == "one two three"
        assert (await api.ended(kept))["result"]["content"] == "kept"
        created = await accepted(api, "/conversations", DEMO, KEY)
        assert await accepted(api, "/conversations", DEMO, KEY) == created
        said = [
            event["content"][0]["text"]
            for event in (await api.get(f"{here}/events")).json["events"]
            if event["type"] == "turn.queued"
        ]
        assert said.count("/say kept") == 1
    await asyncio.to_thread(drop_database, server.url, name)


async def test_a_commit_that_does_not_come_is_not_waited_for_and_may_come_late(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with serving(node_in_memory()) as api:
        store = api.node.parts.store
        append, go = store.append, asyncio.Event()

        async def held(bucket: int, appends: Any) -> list[bool]:
            await go.wait()
            return await append(bucket, appends)

        monkeypatch.setattr(store, "append", held)
        monkeypatch.setattr(asking, "ANSWER_SECONDS", 0.01)
        told = await api.post("/conversations", DEMO, KEY)
        monkeypatch.setattr(asking, "ANSWER_SECONDS", PATIENCE)
        again = asyncio.create_task(api.post("/conversations", DEMO, KEY))
        go.set()

        assert (told.status, told.code) == (503, "STORE_UNAVAILABLE")
        assert (await again).status == 201
        listed = (await api.get("/conversations")).json["conversations"]
        assert [each["conversationId"] for each in listed] == [(await again).json["conversationId"]]


async def read_as_browsers_do(api: Api, path: str, turns: int) -> list[str]:
    """The types of the events up to the end of so many turns, without a gap or a repeat.

    A stream may end while the database is away; its reader comes back with its cursor.
    """
    topics: list[str] = []
    while topics.count("turn.completed") < turns:
        cursor = {"Last-Event-ID": str(len(topics))} if topics else {}
        async with api.client.get(f"/api/v1{path}", headers=SSE | cursor) as stream:
            async for block in blocks(stream):
                if "id" in block:
                    assert int(block["id"]) == len(topics) + 1
                    topics.append(block["event"])
                    if topics.count("turn.completed") == turns:
                        break
        await asyncio.sleep(0.05)
    return topics


async def read_the_feed_as_browsers_do(api: Api, conversation: Any, turns: int) -> list[int]:
    """The same from the feed, where others may turn up too; the offsets."""
    path = f"/api/v1/events?conversation={conversation['conversationId']}"
    offsets: list[int] = []
    cursor: dict[str, str] = {}
    while turns:
        async with api.client.get(path, headers=SSE | cursor) as stream:
            async for block in blocks(stream):
                if "id" in block:
                    cursor = {"Last-Event-ID": block["id"]}
                    offsets.append(json.loads(block["data"])["offset"])
                    turns -= block["event"] == "turn.completed"
                    if not turns:
                        break
        await asyncio.sleep(0.05)
    return offsets


async def blocks(stream: ClientResponse) -> AsyncIterator[dict[str, str]]:
    """The fields of each block of a stream, until it ends."""
    block: dict[str, str] = {}
    async for line in stream.content:
        name, colon, value = line.decode().rstrip("\n").partition(": ")
        if colon:
            block[name] = value
        elif not name:
            yield block
            block = {}
