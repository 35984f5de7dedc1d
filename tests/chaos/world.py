"""What runs in a run: the database, the model, the nodes, and their clients."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
from msgspec import Struct

from tests.chaos import strike
from tests.chaos.callers import Caller
from tests.chaos.database import Database, database
from tests.chaos.diary import Diary, Message, Reading
from tests.chaos.model import Model
from tests.chaos.nodes import Node, nodes
from tests.chaos.readers import Reader
from tests.upstream import Upstream

READERS_EACH = 2
ANSWERERS = 2
ACTION_SECONDS = 10
DELTA_CHARACTERS = 8
DELTA_PAUSE = 0.04


class Options(Struct, frozen=True, kw_only=True):
    """How a run is to be. Times in seconds."""

    seed: int
    seconds: float = 60.0
    nodes: int = 3
    conversations: int = 6
    node_timeout: float = 2.0
    stall_timeout: float = 2.0
    settle: float = 60.0


class World(Struct, kw_only=True):
    """What runs."""

    options: Options
    diary: Diary
    model: Model
    upstream: Upstream
    database: Database
    nodes: Sequence[Node]
    http: aiohttp.ClientSession
    readers: list[Reader] = []

    def caller(self, name: str) -> Caller:
        """Another client."""
        chance = random.Random(f"{name} {self.options.seed}")
        return Caller(self.http, self.nodes, self.diary, chance)

    def began(self, conversation_id: str) -> None:
        """Read a conversation from now on."""
        path = f"/conversations/{conversation_id}/events"
        for number in range(READERS_EACH):
            caller = self.caller(f"reader {number} of {conversation_id}")
            self.readers.append(Reader(caller, Reading(path, conversation_id), None))

    def said(self, message: Message) -> None:
        """Read a turn from now on, to its end."""
        turn_id = message.turn_id
        reading = Reading(f"/turns/{turn_id}/stream-events", message.conversation_id, turn_id)
        caller = self.caller(f"reader of {turn_id}")
        self.readers.append(Reader(caller, reading, {turn_id}))

    def left(self, conversation_id: str, turns: set[str]) -> None:
        """Read a conversation no longer than to the end of these."""
        for reader in self.readers:
            if reader.reading.conversation_id == conversation_id and not reader.reading.turn_id:
                reader.want(turns)


def effects_of(folder: Path) -> Path:
    """Where a run in that folder keeps what its tools have changed."""
    return folder.with_name("effects")


@asynccontextmanager
async def open_world(options: Options, folder: Path, diary: Diary) -> AsyncIterator[World]:
    """All of it, running; `folder` is for the database."""
    model = Model(options.seed)
    async with AsyncExitStack() as stack:
        postgres = await stack.enter_async_context(database(folder))
        upstream = await stack.enter_async_context(Upstream(model))
        upstream.delay = DELTA_PAUSE
        upstream.gate = model.hold
        upstream.service.chunk_size = DELTA_CHARACTERS
        env = {
            "TURNLOG_NODE_TIMEOUT": f"{options.node_timeout}",
            "TURNLOG_STALL_TIMEOUT": f"{options.stall_timeout}",
            "TURNLOG_ACTION_TIMEOUT": f"{ACTION_SECONDS}",
            "TURNLOG_LOG_FORMAT": "json",
            "TURNLOG_WORKSPACE": "examples/workspace",
            "TURNLOG_TOOLS": strike.__file__,
            strike.EFFECTS: str(effects_of(folder)),
            "ANTHROPIC_API_KEY": "key",
            "ANTHROPIC_BASE_URL": upstream.url,
            "OPENAI_API_KEY": "key",
            "OPENAI_BASE_URL": upstream.openai_url,
            "OPENROUTER_API_KEY": "key",
            "OPENROUTER_BASE_URL": upstream.openai_url,
        }
        made = await stack.enter_async_context(nodes(options.nodes, postgres, env, diary))
        connector = aiohttp.TCPConnector(limit=0)
        http = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
        yield World(
            options=options,
            diary=diary,
            model=model,
            upstream=upstream,
            database=postgres,
            nodes=made,
            http=http,
        )
