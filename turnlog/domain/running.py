"""What the commands of a turn's runner make: steps, items, calls, and the turn's end."""

from __future__ import annotations

from typing import assert_never

from turnlog.domain import commands, events
from turnlog.domain.conversation import (
    Conversation,
    QueuedTurn,
    RunningTurn,
    overridden,
)
from turnlog.domain.endings import closings, ending, result
from turnlog.domain.errors import InvalidChange, NotFound, TurnSuperseded
from turnlog.domain.events import Fact
from turnlog.domain.values import Configuration, ProviderData


def owned(command: commands.RunnerCommand, state: Conversation) -> RunningTurn:
    """The turn that the command is about, if its attempt still owns it."""
    turn = state.running
    if turn is None or (turn.turn_id, turn.attempt) != (command.turn_id, command.attempt):
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
            step, model = turn.step + 1, turn.settings.model
            return [events.StepStarted(at=at, turn_id=turn.turn_id, step=step, model=model)]
        case commands.StartItem():
            return [_item_started(turn, command, state.offset + 1, at)]
        case commands.CompleteItem():
            given = _given_by(turn.settings, command)
            return [ending(turn, _item(turn, command), at, provider_data=given)]
        case commands.CompleteStep():
            return _step_completed(turn, command, at)
        case commands.CompleteToolCall():
            item = _call(turn, command)
            return [result(turn, item, at, command.status, command.duration_ms)]
        case commands.CompleteTurn():
            answer = None if turn.answer is None else events.Result(item=turn.answer)
            ended = events.TurnCompleted(
                at=at, turn_id=turn.turn_id, result=answer, usage=turn.usage
            )
            return [*closings(turn, at), ended, *_next(state, turn, at)]
        case commands.FailTurn():
            failed = events.TurnFailed(
                at=at, turn_id=turn.turn_id, error=command.error, usage=turn.usage + command.usage
            )
            return [*closings(turn, at), failed, *_next(state, turn, at)]
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


def _next(state: Conversation, turn: RunningTurn, at: str) -> list[Fact]:
    """The turn that waits longest starts where the one before it ended."""
    if not state.queue or state.configuration is None:
        return []
    return [start(state.queue[0], state.configuration, at, turn.node)]


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
    if command.provider_data is None:
        return None
    return ProviderData(
        model_provider_id=settings.model_provider_id,
        model_provider_api=settings.model_provider_api,
        model=settings.model,
        content=command.provider_data,
    )
