"""Asking an actor on behalf of a client: what the command made, in time, and once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar
from uuid import UUID

from msgspec import Struct

from turnlog.domain.commands import Command
from turnlog.domain.errors import StoreUnavailable
from turnlog.domain.records import AnswerRecord
from turnlog.runtime.actor import Actor
from turnlog.runtime.letters import Committed
from turnlog.runtime.once import Once
from turnlog.runtime.standing import Standing

ANSWER_SECONDS = 10.0

T = TypeVar("T")


class Submitted(Struct, frozen=True, kw_only=True):
    """A message that is durably recorded: its turn, and the offset of its event."""

    turn_id: UUID
    conversation_id: UUID
    status: str
    offset: int


async def ask(
    actor: Actor, command: Command, made: Callable[[Committed], T], once: Once[T] | None = None
) -> T:
    """What the command made.

    Who waits too long for the database is told that it is away; what was asked may
    have been done then, or may even be done later.
    """

    def record(committed: Committed) -> AnswerRecord:
        assert once is not None
        return once.record(made(committed), command.at)

    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            committed = await actor.ask(command, record if once else None)
    except TimeoutError:
        raise StoreUnavailable() from None
    if once is not None:
        once.recorded = bool(committed[1])
    return made(committed)


def standing_of(committed: Committed) -> Standing:
    """Where the conversation stands now."""
    return committed[0]


def submitted(committed: Committed) -> Submitted:
    """What became of a message: a turn, or one more word to the one that runs."""
    standing, entries = committed
    accepted = next((entry for entry in entries if entry.topic == "turn.queued"), entries[0])
    assert accepted.turn_id is not None, "whatever a message makes belongs to a turn"
    turn = standing.turn(accepted.turn_id)
    assert turn is not None, "it ended with this append at the earliest"
    return Submitted(
        turn_id=accepted.turn_id,
        conversation_id=standing.conversation_id,
        status=turn.status,
        offset=accepted.offset,
    )
