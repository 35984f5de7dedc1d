"""What a command makes of a conversation: new facts, or a refusal. Nothing is decided elsewhere.

A turn's last event closes all that it left open, so that every item has its
ending and every call its result, and starts the turn that waits next.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
from msgspec import UNSET, Struct

from turnlog.domain import commands, events
from turnlog.domain.commands import Command
from turnlog.domain.conversation import Conversation, QueuedTurn, changed, evolve
from turnlog.domain.endings import closings
from turnlog.domain.errors import (
    ConversationBusy,
    InvalidChange,
    NotFound,
    PreconditionFailed,
)
from turnlog.domain.events import Fact
from turnlog.domain.resting import decide_calls, expire, provide
from turnlog.domain.running import cancelled, run, start
from turnlog.domain.takeover import resume
from turnlog.domain.values import Configuration, Usage, microseconds_of, timestamp

# A fork begins with all of them, in one event.
MAX_SETTINGS_BYTES = 192 * 1024


def decide(command: Command, state: Conversation) -> list[Fact]:
    """The facts that the command makes, in order; raises a refusal of `errors`."""
    at = timestamp(moment(command, state))
    match command:
        case commands.CreateConversation():
            return _create(command, state, at)
        case commands.UpdateConversation():
            return _update(command, state, at)
        case commands.DeleteConversation():
            return _delete(command, state, at)
        case commands.SubmitMessage():
            return _submit(command, state, at)
        case commands.CancelTurn():
            return _cancel(command, state, at)
        case commands.ResumeTurn():
            return resume(command, state, at)
        case commands.ProvideResults():
            return provide(command, state, at)
        case commands.DecideCalls():
            return decide_calls(command, state, at)
        case commands.ExpireTurn():
            return expire(command, state, at)
        case _:
            return run(command, state, at)


def moment(command: Command, state: Conversation) -> int:
    """When the command's facts happen: its `at`, or just after the last fact, if that is later."""
    if timestamp(command.at) > state.updated_at:
        return command.at
    return microseconds_of(state.updated_at) + 1


def _create(command: commands.CreateConversation, state: Conversation, at: str) -> list[Fact]:
    if state.offset:
        raise InvalidChange(message=f"The conversation {command.conversation_id} exists already.")
    return [
        events.ConversationCreated(
            **_members(command.configuration), conversation_id=command.conversation_id, at=at
        )
    ]


def _update(command: commands.UpdateConversation, state: Conversation, at: str) -> list[Fact]:
    configuration = _existing(state, command.if_match)
    named = {name: value for name, value in _members(command.changes).items() if value is not UNSET}
    if not named:
        raise InvalidChange(message="The change names no member.")
    model = {"model_provider_id", "model_provider_api", "model"} & named.keys()
    if len(model) in (1, 2):
        raise InvalidChange(
            message="To change the model, give all three fields: "
            "modelProviderId, modelProviderApi and model."
        )
    if len(msgspec.json.encode(changed(configuration, command.changes))) > MAX_SETTINGS_BYTES:
        raise InvalidChange(
            message=f"The settings would be over {MAX_SETTINGS_BYTES // 1024} KiB in all."
        )
    return [events.ConversationUpdated(**named, at=at)]


def _delete(command: commands.DeleteConversation, state: Conversation, at: str) -> list[Fact]:
    _existing(state, None)
    facts: list[Fact] = []
    turns: list[tuple[UUID, Usage]] = [(turn.turn_id, Usage()) for turn in state.queue]
    if state.running is not None:
        facts += closings(state.running, at)
        turns.insert(0, (state.running.turn_id, state.running.usage))
    facts += [
        events.TurnCancelled(
            at=at,
            turn_id=turn_id,
            by=command.by,
            reason="the conversation was deleted",
            usage=usage,
        )
        for turn_id, usage in turns
    ]
    return [*facts, events.ConversationDeleted(at=at, erased=False)]


def _submit(command: commands.SubmitMessage, state: Conversation, at: str) -> list[Fact]:
    configuration = _existing(state, command.if_match)
    running = state.running
    busy = running is not None or bool(state.queue)
    if busy and command.on_busy == "reject":
        raise ConversationBusy()
    if running is not None and running.cancel is None and command.on_busy == "steer":
        return [events.TurnSteered(at=at, turn_id=running.turn_id, content=command.content)]
    queued = events.TurnQueued(
        **_members(command.overrides),
        at=at,
        turn_id=command.turn_id,
        content=command.content,
        on_busy=command.on_busy,
    )
    if running is not None and running.cancel is None and command.on_busy == "interrupt":
        reason = "another message interrupts"
        asked = _cancel_requested(running.turn_id, at, command.by, reason)
        return _with_the_end_of_a_rest([asked, queued], state, at, command.node)
    if busy:
        return [queued]
    turn = QueuedTurn(turn_id=command.turn_id, overrides=command.overrides)
    return [queued, start(turn, configuration, at, command.node)]


def _cancel(command: commands.CancelTurn, state: Conversation, at: str) -> list[Fact]:
    """The request, for the owner to obey; of a turn without one, its end as well."""
    _existing(state, None)
    asked = _cancel_requested(command.turn_id, at, command.by, command.reason)
    running = state.running
    if running is not None and running.turn_id == command.turn_id:
        if running.cancel is not None:
            return []
        return _with_the_end_of_a_rest([asked], state, at, command.node)
    if command.turn_id not in [turn.turn_id for turn in state.queue]:
        return []
    ended = events.TurnCancelled(
        at=at, turn_id=command.turn_id, by=command.by, reason=command.reason, usage=Usage()
    )
    return [asked, ended]


def _with_the_end_of_a_rest(
    facts: list[Fact], state: Conversation, at: str, node: str
) -> list[Fact]:
    """The facts that ask the running turn to end. One that rests has no owner, so it ends here."""
    for fact in facts:
        state = evolve(state, fact)
    if state.running is None or not state.running.resting:
        return facts
    return [*facts, *cancelled(state, state.running, at, Usage(), node)]


def _cancel_requested(
    turn_id: UUID, at: str, by: str, reason: str | None
) -> events.TurnCancelRequested:
    return events.TurnCancelRequested(at=at, turn_id=turn_id, by=by, reason=reason)


def _existing(state: Conversation, if_match: int | None) -> Configuration:
    if state.configuration is None or state.deleted:
        raise NotFound(thing="conversation", id=state.conversation_id)
    if if_match is not None and not state.touched <= if_match <= state.offset:
        raise PreconditionFailed(offset=state.offset)
    return state.configuration


def _members(struct: Struct) -> dict[str, Any]:
    return {name: getattr(struct, name) for name in struct.__struct_fields__}
