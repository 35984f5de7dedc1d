"""The aggregate's state, and how each fact moves it."""

from __future__ import annotations

from uuid import UUID

import msgspec
from msgspec import UNSET, Struct
from msgspec.structs import replace

from turnlog.domain import events
from turnlog.domain.events import Changes, Fact
from turnlog.domain.turn import RunningTurn, grown, moved
from turnlog.domain.values import Configuration, Overrides


class QueuedTurn(Struct, frozen=True, kw_only=True):
    turn_id: UUID
    overrides: Overrides


class Conversation(Struct, frozen=True, kw_only=True):
    """All that deciding needs to know. `offset` is that of the last event.

    `touched` is the offset of the last event that is not a running turn's own.
    """

    conversation_id: UUID | None = None
    offset: int = 0
    touched: int = 0
    updated_at: str = ""
    configuration: Configuration | None = None
    deleted: bool = False
    queue: tuple[QueuedTurn, ...] = ()
    running: RunningTurn | None = None


def evolve(state: Conversation, fact: Fact | None) -> Conversation:
    """The state after the next event; None stands for one of a later release."""
    offset = state.offset + 1
    if fact is None:
        return replace(state, offset=offset)
    running = state.running
    if isinstance(fact, events.Delta):
        return replace(state, offset=offset, running=running and grown(running, fact))
    if isinstance(fact, _FOREIGN):
        state = replace(state, touched=offset)
    state = replace(state, offset=offset, updated_at=fact.at)
    match fact:
        case events.ConversationCreated():
            return replace(
                state,
                conversation_id=fact.conversation_id,
                configuration=_configuration(fact),
            )
        case events.ConversationUpdated():
            assert state.configuration is not None
            return replace(state, configuration=changed(state.configuration, fact))
        case events.ConversationDeleted():
            return replace(state, deleted=True)
        case events.TurnQueued():
            turn = QueuedTurn(turn_id=fact.turn_id, overrides=_overrides(fact))
            if fact.on_busy == "interrupt":
                return replace(state, queue=(turn, *state.queue))
            return replace(state, queue=(*state.queue, turn))
        case events.TurnStarted():
            return _started(state, fact)
        case events.TurnCompleted() | events.TurnFailed() | events.TurnCancelled():
            queue = tuple(turn for turn in state.queue if turn.turn_id != fact.turn_id)
            if running is not None and running.turn_id == fact.turn_id:
                running = None
            return replace(state, queue=queue, running=running)
        case _:
            return (
                state if running is None else replace(state, running=moved(running, fact, offset))
            )


def changed(configuration: Configuration, changes: Changes) -> Configuration:
    """The configuration with the changed members in it."""
    named = {
        name: value
        for name in Changes.__struct_fields__
        if (value := getattr(changes, name)) is not UNSET
    }
    return replace(configuration, **named)


def overridden(configuration: Configuration, overrides: Overrides) -> Configuration:
    """The configuration as one turn has it."""
    named = {
        name: value
        for name, value in msgspec.structs.asdict(overrides).items()
        if value is not None
    }
    return replace(configuration, **named)


_FOREIGN = (
    events.ConversationCreated
    | events.ConversationUpdated
    | events.ConversationDeleted
    | events.TurnQueued
    | events.TurnSteered
    | events.TurnCancelRequested
)


def _configuration(fact: events.ConversationCreated) -> Configuration:
    return Configuration(**{name: getattr(fact, name) for name in Configuration.__struct_fields__})


def _overrides(fact: events.TurnQueued) -> Overrides:
    return Overrides(**{name: getattr(fact, name) for name in Overrides.__struct_fields__})


def _started(state: Conversation, fact: events.TurnStarted) -> Conversation:
    assert state.configuration is not None
    waiting = {turn.turn_id: turn for turn in state.queue}
    queued = waiting.pop(fact.turn_id, None)
    settings = overridden(state.configuration, queued.overrides if queued else Overrides())
    settings = replace(
        settings,
        model_provider_id=fact.model_provider_id,
        model_provider_api=fact.model_provider_api,
        model=fact.model,
    )
    running = RunningTurn(
        turn_id=fact.turn_id, attempt=fact.attempt, settings=settings, node=fact.node
    )
    return replace(state, queue=tuple(waiting.values()), running=running)
