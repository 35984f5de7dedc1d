"""A node in memory with a scripted model, its tools, and a reader of its logs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar
from uuid import UUID

from tests.domain import ask
from tests.receiver import Inbox
from tests.runtime.disk import Disk
from tests.runtime.model import ScriptedModel
from tests.runtime.waiting import PATIENCE
from turnlog.adapters.memory import MemoryBlobs, MemoryHints
from turnlog.adapters.memory_checkpoints import MemoryCheckpoints
from turnlog.adapters.memory_search import MemorySearch
from turnlog.adapters.memory_usage import MemoryUsage
from turnlog.adapters.memory_webhooks import MemoryWebhooks
from turnlog.adapters.processes import is_alive, this_process
from turnlog.domain import events
from turnlog.domain.codec import decode
from turnlog.domain.commands import Command
from turnlog.domain.events import Fact
from turnlog.domain.ports import Hints, ModelProvider, Progress, Tool
from turnlog.domain.records import Append, Entry, TurnRow
from turnlog.domain.tools import ToolSpec
from turnlog.projections.view import View
from turnlog.runtime.application import Parts, Submitted, Turnlog
from turnlog.runtime.models import Models, ProviderEntry
from turnlog.runtime.standing import Draft, unborn
from turnlog.runtime.tail import Tail

F = TypeVar("F", bound=Fact)


class Hammer:
    """A tool that does what the test says."""

    def __init__(self, does: Callable[..., Any], name: str = "hammer") -> None:
        """`does` is given the arguments and `progress`; what it returns may be awaited."""
        self._does = does
        self.spec = ToolSpec(name=name, description="", parameters={}, unasked=True)

    async def run(self, arguments: dict[str, Any], key: str, progress: Progress) -> str:
        done = self._does(arguments, progress)
        return str(await done if asyncio.iscoroutine(done) else done)


class Reader:
    """One who follows a log (`Follower`) and keeps what it was shown."""

    def __init__(self, tail: Tail, cursor: int, view: View | None = None) -> None:
        self.view = view or View()
        self.cursor = cursor
        self.frames: list[bytes] = []
        self.behind = False
        self._news = asyncio.Event()
        tail.attach(self)

    def receive(self, frames: bytes, offset: int, *, ended: bool) -> None:
        self.cursor = offset
        self.frames.append(frames)
        self._news.set()

    def fall_behind(self) -> None:
        self.behind = True

    async def sees(self, word: str) -> None:
        """Wait until it has been shown the word."""
        async with asyncio.timeout(PATIENCE):
            while word.encode() not in b"".join(self.frames):
                self._news.clear()
                await self._news.wait()


class Node:
    """A node on some store, with one model and some tools; its clock ticks as it is read."""

    def __init__(
        self,
        disk: Disk | None = None,
        *tools: Tool,
        hints: Hints | None = None,
        stall_timeout: float = PATIENCE,
        action_timeout: float = 3600.0,
    ) -> None:
        self.disk = disk or Disk()
        self.memory = self.disk.memory
        self.model = ScriptedModel()
        self.other_model = ScriptedModel()
        self.clock = Ticks()
        models = Models(
            (_provider(ask.MODEL, self.model), _provider(ask.OTHER_MODEL, self.other_model))
        )
        checkpoints, blobs = MemoryCheckpoints(self.memory), MemoryBlobs()
        search = MemorySearch(self.memory, blobs, checkpoints)
        self.turnlog = Turnlog(
            Parts(
                store=self.disk,
                views=self.memory,
                blobs=blobs,
                inline_rows=self.memory,
                hints=hints or MemoryHints(),
                nodes=self.memory,
                records=self.memory,
                webhooks=MemoryWebhooks(self.memory),
                webhook_sender=Inbox(),
                clock=self.clock,
                checkpoints=checkpoints,
                generations=checkpoints,
                search=search,
                search_texts=search,
                usage=MemoryUsage(self.memory, checkpoints),
                models=models,
                tools={tool.spec.name: tool for tool in tools},
                process=this_process(),
                is_alive=is_alive,
                stall_timeout=stall_timeout,
                action_timeout=action_timeout,
            )
        )

    async def conversation(self, **members: Any) -> UUID:
        """A new conversation."""
        return (await self.turnlog.create(ask.configuration(**members))).conversation_id

    async def say(self, conversation_id: UUID, text: str = "Hello", **members: Any) -> Submitted:
        return await self.turnlog.submit(conversation_id, ask.said(text), **members)

    async def row(self, turn: Submitted) -> TurnRow:
        """How the turn stands."""
        row = await self.memory.turn(turn.turn_id)
        assert row is not None
        return row

    async def follow(self, conversation_id: UUID) -> Reader:
        """A reader of what is written from now on."""
        return await follow(self.turnlog, conversation_id)

    async def log(self, conversation_id: UUID) -> Facts:
        return Facts(await self.memory.read(conversation_id))


class Ticks:
    """A clock that moves a millisecond whenever it is looked at."""

    def __init__(self) -> None:
        self._now = ask.NOW

    def now(self) -> int:
        self._now += 1000
        return self._now

    def goes_on(self, seconds: float) -> None:
        """So much time passes at once."""
        self._now += int(seconds * 1_000_000)


class Facts:
    """A log as it was read."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = entries
        self.topics = [entry.topic for entry in entries]
        self._facts = [decode(entry.topic, entry.state) for entry in entries]

    def all(self, kind: type[F]) -> list[F]:
        return [fact for fact in self._facts if isinstance(fact, kind)]

    def only(self, kind: type[F]) -> F:
        (fact,) = self.all(kind)
        return fact

    def deltas(self, item: int) -> list[str]:
        """The deltas of the item that began at that offset."""
        return [
            fact.delta
            for fact in self._facts
            if isinstance(fact, events.Delta) and fact.item == item
        ]


async def follow(turnlog: Turnlog, conversation_id: UUID) -> Reader:
    head = await turnlog.parts.store.head(conversation_id)
    assert head is not None
    tail = turnlog.tails.open(conversation_id)
    tail.reached(head.offset)
    return Reader(tail, head.offset)


@asynccontextmanager
async def at_work(*nodes: Node) -> AsyncIterator[None]:
    """The nodes at work; at the end their turns are stopped where they are."""
    async with AsyncExitStack() as stack:
        for node in nodes:
            await stack.enter_async_context(node.turnlog.running(drain_seconds=0))
        try:
            yield
        finally:
            for node in nodes:
                node.disk.quicken()


def _provider(model: dict[str, Any], adapter: ModelProvider) -> ProviderEntry:
    name, api = model["model_provider_id"], model["model_provider_api"]
    return ProviderEntry(provider_id=name, name=name, variable=None, apis={api: adapter})


def appended(*asked: Command) -> Append:
    """What these commands write at the beginning of a log."""
    draft = Draft(unborn(ask.CONVERSATION, b"secret", "acme"))
    for command in asked:
        draft.add(command)
    return draft.append()
