"""What can be asked of turnlog, whoever asks: the one door from outside to the actors."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import structlog

from turnlog.domain import commands
from turnlog.domain.commands import CallDecision, CallResult, Command
from turnlog.domain.errors import NodeStopping, NotFound
from turnlog.domain.events import Changes
from turnlog.domain.identity import blob_of, turn_id_in, uuid7
from turnlog.domain.records import Blob, TurnRow
from turnlog.domain.values import Configuration, ContentPart, OnBusy, Overrides
from turnlog.runtime.actors import Actors
from turnlog.runtime.arguments import check_edits
from turnlog.runtime.asking import Submitted, ask, standing_of, submitted
from turnlog.runtime.deliveries import Deliveries
from turnlog.runtime.expiring import Expiring
from turnlog.runtime.feed import Feed
from turnlog.runtime.forgetting import Forgetting
from turnlog.runtime.hints import HintExchange
from turnlog.runtime.journal import Journal
from turnlog.runtime.letters import Committed
from turnlog.runtime.once import Once
from turnlog.runtime.ownership import Ownership
from turnlog.runtime.parts import Parts
from turnlog.runtime.projections import projections_of
from turnlog.runtime.projectors import Projectors
from turnlog.runtime.runners import Runners
from turnlog.runtime.standing import Standing, unborn
from turnlog.runtime.tail import Tails
from turnlog.runtime.toolbox import Toolbox
from turnlog.runtime.unowned import Unowned

__all__ = ["TENANT", "Parts", "Submitted", "Turnlog", "blob_of"]

TENANT = "default"
SECRET_BYTES = 32

log = structlog.get_logger(__name__)


class Turnlog:
    """One node."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.node = str(uuid7(parts.clock.now(), os.urandom(8)))
        self.tails = Tails(parts.store)
        self._journal = Journal(parts.store)
        self._hints = HintExchange(parts.hints, parts.store, self.tails)
        self.toolbox = Toolbox(parts.tools, parts.servers)
        self.feed = Feed(parts.store, parts.views, self._hints.moves)
        self.projectors = Projectors(
            projections_of(parts),
            parts.checkpoints,
            parts.generations,
            parts.store,
            self._hints.news,
        )
        self._actors = Actors(
            parts.store,
            parts.records,
            self._journal,
            self.tails,
            self._hints,
            Runners(parts, self.toolbox).of,
            self.node,
            parts.text_interval,
        )
        unowned = Unowned(self._actors, parts.clock, self.node)
        self._hints.watch(self._actors)
        self._ownership = Ownership(
            self.node,
            parts.nodes,
            buckets=parts.store.buckets,
            process=parts.process,
            is_alive=parts.is_alive,
            running=self._actors.turns,
            attend=self._actors.attend,
            take_over=unowned.take_over,
            timeout=parts.node_timeout,
            time=time.monotonic,
        )
        self._expiring = Expiring(
            parts.nodes, parts.clock, parts.store.buckets, unowned.expire, parts.action_timeout
        )
        self._forgetting = Forgetting(parts.records, parts.clock, parts.store.buckets)
        self._deliveries = Deliveries(parts.webhooks, parts.webhook_sender, parts.store, self.node)
        self._stopping = False

    @property
    def turns_running(self) -> int:
        """How many turns run on this node."""
        return self._actors.running

    @asynccontextmanager
    async def running(
        self, drain_seconds: float = 10.0, *, with_siblings: bool = False
    ) -> AsyncIterator[Turnlog]:
        """The node at work. On leaving, its turns go to other nodes at once; where there are
        none, they may still finish for so long, and are taken over by whoever comes next.
        Meanwhile nothing new is begun. `with_siblings`: the nodes of this machine stop
        together, and take nothing from it.
        """
        await self._ownership.tick()
        tasks = [
            asyncio.create_task(self._hints.run()),
            asyncio.create_task(self._ownership.run()),
            asyncio.create_task(self._expiring.run()),
            asyncio.create_task(self._forgetting.run()),
            asyncio.create_task(self.feed.run()),
            asyncio.create_task(self._deliveries.run()),
            asyncio.create_task(self.projectors.run()),
        ]
        try:
            yield self
        finally:
            self._stopping = True
            self._ownership.retire()
            heirs = await self._ownership.others(beside=not with_siblings)
            await self._actors.rest(0 if heirs else drain_seconds)
            await self._journal.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._ownership.leave()

    async def create(
        self, configuration: Configuration, *, once: Once[Standing] | None = None
    ) -> Standing:
        """A new conversation; under a key, in the key's bucket."""
        self._take_something_new()
        now = self.parts.clock.now()
        last_byte = None if once is None else once.key[-1]
        conversation_id = uuid7(now, os.urandom(8), last_byte=last_byte)
        new = unborn(conversation_id, os.urandom(SECRET_BYTES), TENANT)
        command = commands.CreateConversation(
            at=now, conversation_id=conversation_id, configuration=configuration
        )
        actor = self._actors.of(conversation_id, new)
        return await ask(actor, command, standing_of, once)

    async def update(
        self, conversation_id: UUID, changes: Changes, if_match: int | None = None
    ) -> Standing:
        """The conversation with its changes."""
        command = commands.UpdateConversation(
            at=self.parts.clock.now(), changes=changes, if_match=if_match
        )
        return await ask(self._actors.of(conversation_id), command, standing_of)

    async def delete(self, conversation_id: UUID, by: str) -> None:
        """Close the conversation, whatever runs in it, and hide it."""
        command = commands.DeleteConversation(at=self.parts.clock.now(), by=by)
        await ask(self._actors.of(conversation_id), command, standing_of)

    async def submit(
        self,
        conversation_id: UUID,
        content: Sequence[ContentPart],
        *,
        blobs: Sequence[Blob] = (),
        on_busy: OnBusy = "enqueue",
        overrides: Overrides = Overrides(),  # noqa: B008 - it is immutable
        if_match: int | None = None,
        once: Once[Submitted] | None = None,
    ) -> Submitted:
        """A user message; `blobs` are what its content names."""
        self._take_something_new()
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
        return await ask(self._actors.of(conversation_id), command, submitted, once)

    async def cancel(
        self,
        turn: TurnRow,
        by: str,
        reason: str | None = None,
        *,
        once: Once[TurnRow] | None = None,
    ) -> TurnRow:
        """Ask the turn to stop; whoever runs it obeys. How it stands then."""

        def asked(committed: Committed) -> TurnRow:
            return committed[0].turn(turn.turn_id) or turn

        command = commands.CancelTurn(
            at=self.parts.clock.now(),
            turn_id=turn.turn_id,
            by=by,
            reason=reason,
            node=self.node,
        )
        now = await ask(self._actors.of(turn.conversation_id), command, asked, once)
        if now is turn:  # It had ended before.
            return await self.parts.views.turn(turn.turn_id) or turn
        return now

    async def provide(
        self, turn: TurnRow, results: Sequence[CallResult], *, once: Once[TurnRow] | None = None
    ) -> TurnRow:
        """The results of calls that their caller has run. How the turn stands then."""
        command = commands.ProvideResults(results=tuple(results), **self._answering(turn))
        return await self._answered(turn, command, once)

    async def decide_calls(
        self,
        turn: TurnRow,
        decisions: Sequence[CallDecision],
        by: str,
        *,
        once: Once[TurnRow] | None = None,
    ) -> TurnRow:
        """What a person says of calls. How the turn stands then.

        Raises `InvalidInput` for arguments of theirs that do not fit the tool.
        """
        await check_edits(self.toolbox, self.parts.store, turn.conversation_id, decisions)
        command = commands.DecideCalls(decisions=tuple(decisions), by=by, **self._answering(turn))
        return await self._answered(turn, command, once)

    def _answering(self, turn: TurnRow) -> dict[str, Any]:
        self._take_something_new()
        now = self.parts.clock.now()
        expires_at = now + int(self.parts.action_timeout * 1_000_000)
        return {"at": now, "turn_id": turn.turn_id, "node": self.node, "expires_at": expires_at}

    async def _answered(
        self, turn: TurnRow, command: Command, once: Once[TurnRow] | None
    ) -> TurnRow:
        def stands(committed: Committed) -> TurnRow:
            row = committed[0].turn(turn.turn_id)
            assert row is not None, "who is given an answer has not ended before"
            return row

        return await ask(self._actors.of(turn.conversation_id), command, stands, once)

    def _take_something_new(self) -> None:
        if self._stopping:
            raise NodeStopping()
