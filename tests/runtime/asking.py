"""Nodes in memory whose models are real SDKs that speak to the upstream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from tests.providers.asking import KEY, Voices, speaking
from tests.receiver import Inbox
from tests.runtime.disk import Disk
from tests.runtime.given import Facts, Ticks
from tests.upstream import Call, Say, Think, Upstream
from turnlog.adapters.memory import MemoryBlobs, MemoryHints, MemoryStore
from turnlog.adapters.memory_checkpoints import MemoryCheckpoints
from turnlog.adapters.memory_search import MemorySearch
from turnlog.adapters.memory_usage import MemoryUsage
from turnlog.adapters.memory_webhooks import MemoryWebhooks
from turnlog.adapters.processes import is_alive, this_process
from turnlog.domain import events
from turnlog.domain.ports import Tool
from turnlog.domain.records import TurnRow
from turnlog.domain.values import Configuration, OnBusy, Reasoning, TextPart
from turnlog.projections.view import View
from turnlog.runtime.application import Parts, Submitted, Turnlog
from turnlog.runtime.models import Models, ProviderEntry

PATIENCE = 30.0  # seconds; nothing here takes so long unless it fails
PARTS: list[Think | Say | Call] = [
    Think("Let me think."),
    Say("I will look."),
    Call("hammer", {"nail": "long"}),
]
DELTAS = 3 + 2 + 3  # of six characters each
WIRES = ("anthropic/messages", "openai/responses", "openrouter/chat")


class Pauses:
    """How long the runtime would have paused. Nobody waits, unless `endless`."""

    def __init__(self) -> None:
        self.taken: list[float] = []
        self.begun = asyncio.Event()
        self.endless = False

    async def take(self, seconds: float) -> None:
        self.taken.append(seconds)
        self.begun.set()
        if self.endless:
            await asyncio.Event().wait()


class _News:
    """One who wants to know that a log moved (`Follower`)."""

    def __init__(self) -> None:
        self.view = View()
        self.cursor = 0
        self.any = asyncio.Event()

    def receive(self, frames: bytes, offset: int, *, ended: bool) -> None:
        self.any.set()

    def fall_behind(self) -> None:
        self.any.set()


class Desk:
    """One store, the upstream, and as many nodes as are asked for."""

    def __init__(self, upstream: Upstream, voices: Voices, disk: Disk | None = None) -> None:
        self.upstream = upstream
        self.voices = voices
        self.pauses = Pauses()
        self.store = MemoryStore() if disk is None else disk.memory
        self._disk = disk
        self._checkpoints = MemoryCheckpoints(self.store)
        self.blobs = MemoryBlobs()
        self._search = MemorySearch(self.store, self.blobs, self._checkpoints)
        self._hints = MemoryHints()

    @asynccontextmanager
    async def node(self, *tools: Tool, **parts: Any) -> AsyncIterator[Turnlog]:
        """A node at work."""
        made = Parts(
            store=self._disk or self.store,
            views=self.store,
            inline_rows=self.store,
            nodes=self.store,
            records=self.store,
            blobs=self.blobs,
            checkpoints=self._checkpoints,
            generations=self._checkpoints,
            search=self._search,
            search_texts=self._search,
            usage=MemoryUsage(self.store, self._checkpoints),
            hints=self._hints,
            webhooks=MemoryWebhooks(self.store),
            webhook_sender=Inbox(),
            clock=Ticks(),
            models=self._models(),
            tools={tool.spec.name: tool for tool in tools},
            process=this_process(),
            is_alive=is_alive,
            sleep=self.pauses.take,
            **parts,
        )
        async with Turnlog(made).running(drain_seconds=0) as turnlog:
            yield turnlog

    async def log(self, turn: Submitted) -> Facts:
        """The turn's events so far."""
        return Facts(await self.store.read(turn.conversation_id, turn_id=turn.turn_id))

    async def sees(self, node: Turnlog, turn: Submitted, topic: str, times: int = 1) -> Facts:
        """The turn's events once there are so many of that type."""
        news = _News()
        tail = node.tails.open(turn.conversation_id)
        head = await self.store.head(turn.conversation_id)
        assert head is not None
        tail.reached(head.offset)
        tail.attach(news)
        async with asyncio.timeout(PATIENCE):
            while (log := await self.log(turn)).topics.count(topic) < times:
                news.any.clear()
                await news.any.wait()
        tail.detach(news)
        node.tails.close(tail)
        return log

    async def row(self, turn: Submitted) -> TurnRow:
        """How the turn stands."""
        row = await self.store.turn(turn.turn_id)
        assert row is not None
        return row

    def _models(self) -> Models:
        voices = [self.voices[wire] for wire in WIRES]
        return Models(
            tuple(
                ProviderEntry(
                    provider_id=voice.model.model_provider_id,
                    name=voice.model.model_provider_id,
                    variable=None,
                    apis={voice.model.model_provider_api: voice.provider},
                )
                for voice in voices
            )
        )


@asynccontextmanager
async def desk(disk: Disk | None = None, *, key: str = KEY) -> AsyncIterator[Desk]:
    async with Upstream() as upstream, speaking(upstream, key) as voices:
        yield Desk(upstream, voices, disk)


async def say(
    node: Turnlog,
    wire: str,
    text: str = "Hello",
    conversation_id: UUID | None = None,
    on_busy: OnBusy = "enqueue",
) -> Submitted:
    """A message, in a new conversation unless one is named; its turn runs."""
    if conversation_id is None:
        provider, api = wire.split("/")
        configuration = Configuration(
            model_provider_id=provider,
            model_provider_api=api,
            model="model-one",
            reasoning=Reasoning(budget_tokens=1024),
        )
        conversation_id = (await node.create(configuration)).conversation_id
    return await node.submit(conversation_id, (TextPart(text=text),), on_busy=on_busy)


def said(log: Facts) -> str:
    """The text of the turn's answer."""
    answer = log.only(events.TurnCompleted).result
    assert answer is not None
    return "".join(log.deltas(answer.item))


def assert_whole(log: Facts) -> None:
    """Each item that began has ended, with the text of its deltas; each call has its result."""
    began = [entry.offset for entry in log.entries if entry.topic in _BEGINNINGS]
    texts: list[events.ThinkingCompleted | events.MessageCompleted] = [
        *log.all(events.ThinkingCompleted),
        *log.all(events.MessageCompleted),
    ]
    requested = log.all(events.ToolCallRequested)
    ends = [end.item for end in texts] + [call.item for call in requested]
    assert sorted(ends) == began
    results = [result.item for result in log.all(events.ToolCallCompleted)]
    assert sorted(results) == [call.item for call in requested]
    for end in texts:
        assert "".join(log.deltas(end.item)) == end.text


_BEGINNINGS = ("thinking.started", "message.started", "tool_call.started")
