"""What the commands of a turn's runner make: steps, items, calls, and the turn's end."""

from __future__ import annotations

from typing import Any, assert_never

from msgspec.structs import asdict

from turnlog.domain import commands, events
from turnlog.domain.conversation import Conversation, QueuedTurn, overridden
from turnlog.domain.endings import closings, ending, result
from turnlog.domain.errors import InvalidChange, NotFound, TurnSuperseded
from turnlog.domain.events import Fact
from turnlog.domain.turn import RunningTurn
from turnlog.domain.values import (
    BlobRef,
    Configuration,
    ProviderData,
    TurnError,
    Usage,
    timestamp,
)


def owned(command: commands.RunnerCommand, state: Conversation) -> RunningTurn:
    """The turn that the command is about, if its attempt owns it: one that rests is nobody's."""
    turn = state.running
    if turn is None or (turn.turn_id, turn.attempt) != (command.turn_id, command.attempt):
        raise TurnSuperseded()
    if turn.resting:
        raise TurnSuperseded()
    return turn


def run(command: commands.RunnerCommand, state: Conversation, at: str) -> list[Fact]:
    """The facts of one runner's command."""
    turn = owned(command, state)
    match command:
        case commands.AppendText():
            return [_delta(turn, command)]
        case commands.AppendOutput():
            return [events.ToolCallOutputDelta(item=_call(turn, command), delta=command.text)]
        case commands.StartStep():
            # A step that failed is tried again under its number.
            step = turn.step if turn.in_step else turn.step + 1
            model = turn.settings.model
            return [events.StepStarted(at=at, turn_id=turn.turn_id, step=step, model=model)]
        case commands.StartItem():
            return [_item_started(turn, command, state.offset + 1, at)]
        case commands.CompleteItem():
            given = _given_by(turn.settings, command)
            return [ending(turn, _item(turn, command), at, provider_data=given, asked=command)]
        case commands.CompleteStep():
            return _step_completed(turn, command, at)
        case commands.CompleteToolCall():
            item = _call(turn, command)
            return [result(turn, item, at, command.status, command.duration_ms)]
        case commands.RestTurn():
            return _rested(state, turn, command, at)
        case commands.RetryStep():
            return _retried(turn, command, at)
        case commands.CompleteTurn():
            return [] if turn.unheard else _completed(state, turn, at)
        case commands.AcknowledgeCancel():
            return cancelled(state, turn, at, command.usage, node=turn.node)
        case commands.FailTurn():
            usage = _spent(turn, command.usage)
            return failed(state, turn, at, command.error, usage, node=turn.node)
        case _:
            assert_never(command)


def start(turn: QueuedTurn, configuration: Configuration, at: str, node: str) -> events.TurnStarted:
    """The start of a turn that waited, with the model that its conversation has now."""
    settings = overridden(configuration, turn.overrides)
    return events.TurnStarted(
        at=at,
        turn_id=turn.turn_id,
        model_provider_id=settings.model_provider_id,
        model_provider_api=settings.model_provider_api,
        model=settings.model,
        attempt=1,
        node=node,
    )


def cancelled(
    state: Conversation, turn: RunningTurn, at: str, usage: Usage, node: str
) -> list[Fact]:
    """The end that was asked for; the turn that waits next starts on the node."""
    asked = turn.cancel
    if asked is None:
        raise InvalidChange(message="Nobody has asked to cancel this turn.")
    ended = events.TurnCancelled(
        at=at,
        turn_id=turn.turn_id,
        by=asked.by,
        reason=asked.reason,
        usage=_spent(turn, usage),
    )
    return [*closings(turn, at), ended, *_next(state, node, at)]


def failed(
    state: Conversation, turn: RunningTurn, at: str, error: TurnError, usage: Usage, node: str
) -> list[Fact]:
    """The end by an error; `usage` is the whole turn's."""
    ended = events.TurnFailed(at=at, turn_id=turn.turn_id, error=error, usage=usage)
    return [*closings(turn, at), ended, *_next(state, node, at)]


def rests(turn: RunningTurn, at: str, expires_at: int) -> events.TurnRequiresAction:
    """The turn waits for what its calls want, until `expires_at` (µs) at most."""
    return events.TurnRequiresAction(
        at=at, turn_id=turn.turn_id, calls=turn.wanted, expires_at=timestamp(expires_at)
    )


def _rested(
    state: Conversation, turn: RunningTurn, command: commands.RestTurn, at: str
) -> list[Fact]:
    """The rest; of a turn that was asked to stop its end, for nobody would see to that later."""
    if turn.in_step or not turn.calls or len(turn.wanted) < len(turn.calls):
        return []
    if turn.cancel is not None:
        return cancelled(state, turn, at, Usage(), turn.node)
    return [rests(turn, at, command.expires_at)]


def superseded(turn: RunningTurn, at: str, usage: Usage | None = None) -> list[Fact]:
    """What closes an unfinished step, which is to be asked again and has cost `usage`."""
    if not turn.in_step or not (turn.step_items or usage):
        return []
    void = events.AttemptSuperseded(
        at=at, turn_id=turn.turn_id, from_offset=turn.step_offset, usage=usage
    )
    return [*closings(turn, at), void]


def _spent(turn: RunningTurn, unfinished: Usage) -> Usage:
    """The turn's usage with its unfinished step's, unless that was completed meanwhile."""
    return turn.usage + unfinished if turn.in_step else turn.usage


def _retried(turn: RunningTurn, command: commands.RetryStep, at: str) -> list[Fact]:
    retrying = events.TurnRetrying(
        at=at,
        turn_id=turn.turn_id,
        reason=command.reason,
        delay_ms=command.delay_ms,
        retry=command.retry,
    )
    return [*superseded(turn, at, command.usage), retrying]


def _completed(state: Conversation, turn: RunningTurn, at: str) -> list[Fact]:
    answer = events.Result(item=turn.answers[-1]) if turn.answers else None
    ended = events.TurnCompleted(at=at, turn_id=turn.turn_id, result=answer, usage=turn.usage)
    return [*closings(turn, at), ended, *_next(state, turn.node, at)]


def _next(state: Conversation, node: str, at: str) -> list[Fact]:
    """The turn that waits longest starts where the one before it ended."""
    if not state.queue or state.configuration is None:
        return []
    return [start(state.queue[0], state.configuration, at, node)]


def _item_started(
    turn: RunningTurn, command: commands.StartItem, offset: int, at: str
) -> events.Started:
    if command.item != len(turn.step_items) or not turn.in_step:
        raise InvalidChange(message=f"Item {command.item} is not the next of its step.")
    match command.kind:
        case "thinking":
            return events.ThinkingStarted(at=at, turn_id=turn.turn_id, step=turn.step)
        case "message":
            return events.MessageStarted(at=at, turn_id=turn.turn_id, step=turn.step)
        case "tool_call":
            return events.ToolCallStarted(
                at=at,
                turn_id=turn.turn_id,
                step=turn.step,
                call_id=f"call_{offset}",
                name=command.name,
            )
        case _:
            assert_never(command.kind)


def _delta(turn: RunningTurn, command: commands.AppendText) -> events.Delta:
    offset = _item(turn, command)
    match turn.items[offset].kind:
        case "thinking":
            return events.ThinkingDelta(item=offset, delta=command.text)
        case "message":
            return events.MessageDelta(item=offset, delta=command.text)
        case "tool_call":
            return events.ToolCallArgumentsDelta(item=offset, delta=command.text)


def _step_completed(turn: RunningTurn, command: commands.CompleteStep, at: str) -> list[Fact]:
    """The step's end, after the endings of items that the provider left open."""
    completed = events.StepCompleted(
        at=at,
        turn_id=turn.turn_id,
        step=turn.step,
        usage=command.usage,
        stop_reason=command.stop_reason,
        duration_ms=command.duration_ms,
        provider_response_id=command.response_id,
    )
    return [*(ending(turn, offset, at, partial=True) for offset in turn.items), completed]


def _item(turn: RunningTurn, command: commands.AppendText | commands.CompleteItem) -> int:
    """The offset of the open item that a command names by its number within the step."""
    if 0 <= command.item < len(turn.step_items):
        offset = turn.step_items[command.item]
        if offset in turn.items:
            return offset
    raise NotFound(thing="open item", id=command.item)


def _call(turn: RunningTurn, command: commands.AppendOutput | commands.CompleteToolCall) -> int:
    """The item of the open call that a command names."""
    for item, call in turn.calls.items():
        if call.call_id == command.call_id:
            return item
    raise NotFound(thing="open tool call", id=command.call_id)


def _given_by(settings: Configuration, command: commands.CompleteItem) -> ProviderData | None:
    given = command.provider_data
    if given is None:
        return None
    kept: dict[str, Any] = asdict(given) if isinstance(given, BlobRef) else {"content": given}
    return ProviderData(
        model_provider_id=settings.model_provider_id,
        model_provider_api=settings.model_provider_api,
        model=settings.model,
        **kept,
    )
