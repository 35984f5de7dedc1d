"""The aggregate's state, and how each fact moves it."""

from __future__ import annotations

from typing import TypeVar, assert_never
from uuid import UUID

import msgspec
from msgspec import UNSET, Struct
from msgspec.structs import replace

from turnlog.domain import events
from turnlog.domain.events import Changes, Fact
from turnlog.domain.values import Configuration, ItemKind, Overrides, Usage

Chunks = tuple["Chunks", str] | None
_Open = TypeVar("_Open")


class OpenItem(Struct, frozen=True, kw_only=True):
    """A thought, a message, or a call's arguments, still being written."""

    kind: ItemKind
    call_id: str = ""
    name: str = ""
    text: Chunks = None


class OpenCall(Struct, frozen=True, kw_only=True):
    """A call that the model has made and that has no result yet."""

    call_id: str
    name: str
    arguments: str
    runs_on: str
    output: Chunks = None


class QueuedTurn(Struct, frozen=True, kw_only=True):
    turn_id: UUID
    overrides: Overrides


class RunningTurn(Struct, frozen=True, kw_only=True):
    """The turn that runs; `items` and `calls` are the open ones, by their item's offset."""

    turn_id: UUID
    attempt: int
    settings: Configuration
    node: str = ""
    step: int = 0
    in_step: bool = False
    step_items: tuple[int, ...] = ()
    items: dict[int, OpenItem] = {}
    calls: dict[int, OpenCall] = {}
    answer: int | None = None
    usage: Usage = Usage()


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
        return replace(state, offset=offset, running=running and _grown(running, fact))
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
                state if running is None else replace(state, running=_moved(running, fact, offset))
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


def joined(chunks: Chunks) -> str:
    """The text of chunks that were put together back to front."""
    parts: list[str] = []
    while chunks is not None:
        chunks, part = chunks
        parts.append(part)
    return "".join(reversed(parts))


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


def _grown(turn: RunningTurn, delta: events.Delta) -> RunningTurn:
    if isinstance(delta, events.ToolCallOutputDelta):
        call = turn.calls.get(delta.item)
        if call is None:
            return turn
        call = replace(call, output=(call.output, delta.delta))
        return replace(turn, calls=turn.calls | {delta.item: call})
    item = turn.items.get(delta.item)
    if item is None:
        return turn
    return replace(
        turn, items=turn.items | {delta.item: replace(item, text=(item.text, delta.delta))}
    )


_TurnFact = (
    events.TurnSteered
    | events.StepStarted
    | events.StepCompleted
    | events.Started
    | events.ThinkingCompleted
    | events.MessageCompleted
    | events.ToolCallRequested
    | events.ToolCallApproved
    | events.ToolCallDenied
    | events.ToolCallCompleted
    | events.TurnRequiresAction
    | events.TurnRetrying
    | events.AttemptSuperseded
    | events.TurnResumed
    | events.TurnCancelRequested
)


def _moved(turn: RunningTurn, fact: _TurnFact, offset: int) -> RunningTurn:
    if fact.turn_id != turn.turn_id:
        return turn
    match fact:
        case events.StepStarted():
            return replace(turn, step=fact.step, in_step=True, step_items=())
        case events.StepCompleted():
            return replace(turn, in_step=False, usage=turn.usage + fact.usage)
        case events.ThinkingStarted():
            return _opened(turn, offset, OpenItem(kind="thinking"))
        case events.MessageStarted():
            return _opened(turn, offset, OpenItem(kind="message"))
        case events.ToolCallStarted():
            item = OpenItem(kind="tool_call", call_id=fact.call_id, name=fact.name)
            return _opened(turn, offset, item)
        case events.ThinkingCompleted():
            return replace(turn, items=_without(turn.items, fact.item))
        case events.MessageCompleted():
            answer = turn.answer if fact.partial else fact.item
            return replace(turn, items=_without(turn.items, fact.item), answer=answer)
        case events.ToolCallRequested():
            call = OpenCall(
                call_id=fact.call_id,
                name=fact.name,
                arguments=_whole_arguments(turn, fact),
                runs_on=fact.runs_on,
            )
            return replace(
                turn, items=_without(turn.items, fact.item), calls=turn.calls | {fact.item: call}
            )
        case events.ToolCallCompleted():
            return replace(turn, calls=_without(turn.calls, fact.item))
        case events.AttemptSuperseded():
            answer = turn.answer if turn.answer and turn.answer < fact.from_offset else None
            return replace(turn, in_step=False, step_items=(), answer=answer)
        case events.TurnResumed():
            return replace(turn, attempt=fact.attempt, node=fact.node)
        case (
            events.TurnSteered()
            | events.ToolCallApproved()
            | events.ToolCallDenied()
            | events.TurnRequiresAction()
            | events.TurnRetrying()
            | events.TurnCancelRequested()
        ):
            return turn
        case _:
            assert_never(fact)


def _opened(turn: RunningTurn, offset: int, item: OpenItem) -> RunningTurn:
    return replace(turn, step_items=(*turn.step_items, offset), items=turn.items | {offset: item})


def _whole_arguments(turn: RunningTurn, fact: events.ToolCallRequested) -> str:
    """A call's arguments, from its deltas if its event could not hold them."""
    item = turn.items.get(fact.item)
    return joined(item.text) if fact.truncated and item and item.text else fact.arguments


def _without(things: dict[int, _Open], key: int) -> dict[int, _Open]:
    return {other: thing for other, thing in things.items() if other != key}
