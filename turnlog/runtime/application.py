"""What can be asked of turnlog, whoever asks: the one door from outside to the actors."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

from msgspec import Struct

from turnlog.domain import commands
from turnlog.domain.conversation import RunningTurn
from turnlog.domain.errors import NotFound
from turnlog.domain.events import Changes
from turnlog.domain.identity import turn_id_in, uuid7
from turnlog.domain.ports import BlobStore, Clock, EventStore, Hints, Tool, Views
from turnlog.domain.records import Blob
from turnlog.domain.values import Configuration, ContentPart, OnBusy, Overrides
from turnlog.runtime.actor import Actor
from turnlog.runtime.actors import Actors
from turnlog.runtime.calls import ToolCalls
from turnlog.runtime.hints import HintExchange
from turnlog.runtime.journal import Journal
from turnlog.runtime.models import Models
from turnlog.runtime.prompting import Prompter
from turnlog.runtime.standing import Standing, unborn
from turnlog.runtime.tail import Tails
from turnlog.runtime.turn import TurnRunner

TENANT = "default"
SECRET_BYTES = 32


class Parts(Struct, frozen=True, kw_only=True):
    """What the application is made of. `stall_timeout` in seconds."""

    store: EventStore
    views: Views
    blobs: BlobStore
    hints: Hints
    clock: Clock
    models: Models
    tools: Mapping[str, Tool]
    stall_timeout: float = 120.0


class Submitted(Struct, frozen=True, kw_only=True):
    """A message that is durably recorded: its turn, and the offset of its `turn.queued`."""

    turn_id: UUID
    conversation_id: UUID
    status: str
    offset: int


class Turnlog:
    """One node."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.node = str(uuid7(parts.clock.now(), os.urandom(8)))
        self.tails = Tails(parts.store)
        self._journal = Journal(parts.store)
        self._hints = HintExchange(parts.hints, parts.store, self.tails)
        self._actors = Actors(
            parts.store, self._journal, self.tails, self._hints, self._runner, self.node
        )

    @property
    def turns_running(self) -> int:
        """How many turns run on this node."""
        return self._actors.running

    @asynccontextmanager
    async def running(self, drain_seconds: float = 10.0) -> AsyncIterator[Turnlog]:
        """The node at work; on leaving, turns may still finish for so long."""
        hints = asyncio.create_task(self._hints.run())
        try:
            yield self
        finally:
            await self._actors.rest(drain_seconds)
            await self._journal.close()
            hints.cancel()
            await asyncio.gather(hints, return_exceptions=True)

    async def create(self, configuration: Configuration) -> Standing:
        """A new conversation."""
        now = self.parts.clock.now()
        conversation_id = uuid7(now, os.urandom(8))
        new = unborn(conversation_id, os.urandom(SECRET_BYTES), TENANT)
        command = commands.CreateConversation(
            at=now, conversation_id=conversation_id, configuration=configuration
        )
        standing, _ = await self._actors.of(conversation_id, new).ask(command)
        return standing

    async def update(
        self, conversation_id: UUID, changes: Changes, if_match: int | None = None
    ) -> Standing:
        """The conversation with its changes."""
        command = commands.UpdateConversation(
            at=self.parts.clock.now(), changes=changes, if_match=if_match
        )
        standing, _ = await self._actors.of(conversation_id).ask(command)
        return standing

    async def delete(self, conversation_id: UUID, by: str) -> None:
        """Close the conversation, whatever runs in it, and hide it."""
        command = commands.DeleteConversation(at=self.parts.clock.now(), by=by)
        await self._actors.of(conversation_id).ask(command)

    async def submit(
        self,
        conversation_id: UUID,
        content: Sequence[ContentPart],
        *,
        blobs: Sequence[Blob] = (),
        on_busy: OnBusy = "enqueue",
        overrides: Overrides = Overrides(),  # noqa: B008 - it is immutable
        if_match: int | None = None,
    ) -> Submitted:
        """A user message; `blobs` are what its content names."""
        now = self.parts.clock.now()
        turn_id = turn_id_in(conversation_id, now, os.urandom(8))
        if blobs and await self.parts.store.head(conversation_id) is None:
            raise NotFound(thing="conversation", id=conversation_id)
        for blob in blobs:
            await self.parts.blobs.put(conversation_id, blob)
        command = commands.SubmitMessage(
            at=now,
            turn_id=turn_id,
            content=tuple(content),
            on_busy=on_busy,
            overrides=overrides,
            if_match=if_match,
            node=self.node,
        )
        _, entries = await self._actors.of(conversation_id).ask(command)
        started = any(entry.topic == "turn.started" for entry in entries)
        return Submitted(
            turn_id=turn_id,
            conversation_id=conversation_id,
            status="running" if started else "queued",
            offset=entries[0].offset,
        )

    def _runner(self, actor: Actor, turn: RunningTurn) -> TurnRunner:
        parts, settings = self.parts, turn.settings
        return TurnRunner(
            actor,
            turn,
            model=lambda: parts.models.adapter(
                settings.model_provider_id, settings.model_provider_api
            ),
            prompter=Prompter(parts.store, parts.blobs, actor.conversation_id),
            calls=ToolCalls(actor, parts.tools, parts.clock),
            clock=parts.clock,
            stall_timeout=parts.stall_timeout,
        )


def blob_of(media_type: str, data: bytes) -> Blob:
    """Bytes under their SHA-256."""
    return Blob(sha256=hashlib.sha256(data).hexdigest(), media_type=media_type, data=data)
