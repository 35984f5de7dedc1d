"""A node in memory that tests can hold still, and a client that speaks the API's words."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec
from aiohttp.test_utils import TestClient
from msgspec import Struct
from multidict import CIMultiDictProxy
from yarl import URL

from tests.receiver import Inbox
from turnlog.adapters.demo import DemoModel
from turnlog.adapters.memory import MemoryBlobs, MemoryHints, MemoryStore
from turnlog.adapters.memory_checkpoints import MemoryCheckpoints
from turnlog.adapters.memory_search import MemorySearch
from turnlog.adapters.memory_usage import MemoryUsage
from turnlog.adapters.memory_webhooks import MemoryWebhooks
from turnlog.adapters.postgres import Postgres
from turnlog.adapters.processes import is_alive, this_process
from turnlog.domain.ports import Tool
from turnlog.runtime.application import Parts, Turnlog
from turnlog.runtime.models import Models, ProviderEntry

DEMO = {"modelProviderId": "demo", "modelProviderApi": "script", "model": "demo"}
NOWHERE = "01890000-0000-7000-8000-000000000000"

PATIENCE = 20.0  # seconds; nothing here takes so long unless it fails

Ports = dict[str, Any]


class Ticks:
    """A clock that moves a millisecond whenever it is looked at."""

    def __init__(self) -> None:
        self._now = 1_767_225_600_000_000

    def now(self) -> int:
        self._now += 1000
        return self._now


class Node:
    """One node, and the gate at which its model waits where a message says `/delay 1`."""

    def __init__(self, parts: Parts, gate: asyncio.Event) -> None:
        self.parts = parts
        self.turnlog = Turnlog(parts)
        self.gate = gate

    async def heads(self) -> list[int]:
        """How far the log reaches, in all buckets: it moves with every event."""
        return await self.parts.store.positions()


def node_in_memory(tools: Sequence[Tool] = ()) -> Node:
    """A node whose log is gone with it."""
    return node_on(memory_ports(), tools)


def memory_ports() -> Ports:
    """An empty store, for any number of nodes."""
    store = MemoryStore()
    checkpoints = MemoryCheckpoints(store)
    blobs = MemoryBlobs()
    search = MemorySearch(store, blobs, checkpoints)
    return {
        "store": store,
        "views": store,
        "inline_rows": store,
        "nodes": store,
        "records": store,
        "checkpoints": checkpoints,
        "generations": checkpoints,
        "blobs": blobs,
        "search": search,
        "search_texts": search,
        "usage": MemoryUsage(store, checkpoints),
        "hints": MemoryHints(),
        "webhooks": MemoryWebhooks(store),
    }


def postgres_ports(postgres: Postgres) -> Ports:
    """What a database serves."""
    return {name: getattr(postgres, name) for name in postgres.__struct_fields__}


def node_on(ports: Ports, tools: Sequence[Tool] = ()) -> Node:
    """A node with the demo model, and a provider that has no key."""
    gate = asyncio.Event()

    async def pause(seconds: float) -> None:
        if seconds:
            await gate.wait()

    models = Models(
        (
            ProviderEntry(
                provider_id="openai",
                name="OpenAI",
                variable="OPENAI_API_KEY",
                apis={"responses": None, "chat": None},
            ),
            ProviderEntry(
                provider_id="demo",
                name="Demo",
                variable=None,
                apis={"script": DemoModel(pause, pace=0)},
                models=("demo",),
            ),
        )
    )
    parts = Parts(
        clock=Ticks(),
        models=models,
        tools={tool.spec.name: tool for tool in tools},
        webhook_sender=Inbox(),
        process=this_process(),
        is_alive=is_alive,
        **ports,
    )
    return Node(parts, gate)


class Answer(Struct, frozen=True):
    """What came back; `json` is None where there is no body."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes
    json: Any

    @property
    def code(self) -> str:
        """The code of an error."""
        return str(self.json["error"]["code"])

    @property
    def message(self) -> str:
        """The message of an error."""
        return str(self.json["error"]["message"])


class Api:
    """The API of one server; paths are below its root."""

    def __init__(self, client: TestClient[Any, Any], node: Node) -> None:
        self.client = client
        self.node = node

    async def ask(self, method: str, path: str | URL, **options: Any) -> Answer:
        """One request, and its answer in full."""
        if isinstance(path, str) and not path.startswith("/api/"):
            path = f"/api/v1{path}"
        async with (
            asyncio.timeout(PATIENCE),
            self.client.request(method, path, **options) as response,
        ):
            body = await response.read()
            is_json = "json" in response.headers.get("Content-Type", "")
            json = await response.json(content_type=None) if is_json and body else None
            return Answer(response.status, response.headers, body, json)

    async def get(self, path: str | URL, **options: Any) -> Answer:
        return await self.ask("GET", path, **options)

    async def post(self, path: str, json: Any, headers: Mapping[str, str] = {}) -> Answer:
        return await self.send("POST", path, msgspec.json.encode(json), headers)

    async def patch(self, path: str, json: Any, headers: Mapping[str, str] = {}) -> Answer:
        return await self.send("PATCH", path, msgspec.json.encode(json), headers)

    async def send(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str] = {}
    ) -> Answer:
        """A body that says that it is JSON."""
        headers = {"Content-Type": "application/json", **headers}
        return await self.ask(method, path, data=io.BytesIO(body), headers=headers)

    async def delete(self, path: str, **options: Any) -> Answer:
        return await self.ask("DELETE", path, **options)

    async def create(self, **members: Any) -> dict[str, Any]:
        """A conversation with the demo model."""
        answer = await self.post("/conversations", DEMO | members)
        assert answer.status == 201, answer.body
        return dict(answer.json)

    async def say(self, conversation: Mapping[str, Any], message: str, **members: Any) -> Any:
        """A message, accepted."""
        path = f"/conversations/{conversation['conversationId']}/messages"
        answer = await self.post(path, {"message": message, **members})
        assert answer.status == 202, answer.body
        return answer.json

    async def ended(self, turn: Mapping[str, Any]) -> Any:
        """The turn's status once its stream has ended."""
        await self.get(f"/turns/{turn['turnId']}/stream-events")
        answer = await self.get(f"/turns/{turn['turnId']}", params={"toolLevel": "full"})
        assert answer.status == 200, answer.body
        return answer.json

    async def show(self, conversation: Mapping[str, Any]) -> Any:
        """The conversation as it stands."""
        answer = await self.get(f"/conversations/{conversation['conversationId']}")
        assert answer.status == 200, answer.body
        return answer.json

    async def topics(self, conversation: Mapping[str, Any]) -> list[str]:
        """The types of the events in the conversation's log."""
        conversation_id = UUID(conversation["conversationId"])
        return [entry.topic for entry in await self.node.parts.store.read(conversation_id)]
