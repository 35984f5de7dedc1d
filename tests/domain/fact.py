"""Facts with fixed ids, as they happen at the moment of the tests' commands."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from tests.domain.ask import CONVERSATION, MODEL, NO_USAGE, NOW, PATIENCE, TURN, USAGE, said
from turnlog.domain import events
from turnlog.domain.events import Fact
from turnlog.domain.values import StopReason, ToolCallStatus, TurnError, Usage, Wanted, timestamp

AT = timestamp(NOW)
OVERLOADED = TurnError(code="overloaded", message="Try later.", retryable=True, provider="openai")


def created(**members: Any) -> events.ConversationCreated:
    return events.ConversationCreated(at=AT, conversation_id=CONVERSATION, **MODEL | members)


def updated(**changes: Any) -> events.ConversationUpdated:
    return events.ConversationUpdated(at=AT, **changes)


def deleted() -> events.ConversationDeleted:
    return events.ConversationDeleted(at=AT, erased=False)


def turn_queued(turn: UUID = TURN, text: str = "Hello", **members: Any) -> events.TurnQueued:
    more = {"on_busy": "enqueue"} | members
    return events.TurnQueued(at=AT, turn_id=turn, content=said(text), **more)


def turn_started(turn: UUID = TURN, attempt: int = 1, **members: Any) -> events.TurnStarted:
    return events.TurnStarted(at=AT, turn_id=turn, attempt=attempt, **MODEL | members)


def turn_steered(turn: UUID = TURN, text: str = "Rather") -> events.TurnSteered:
    return events.TurnSteered(at=AT, turn_id=turn, content=said(text))


def step_started(step: int = 1, turn: UUID = TURN, model: str = "gpt-5") -> events.StepStarted:
    return events.StepStarted(at=AT, turn_id=turn, step=step, model=model)


def step_completed(
    step: int = 1, stop_reason: StopReason = "end_turn", usage: Usage = USAGE
) -> events.StepCompleted:
    return events.StepCompleted(
        at=AT, turn_id=TURN, step=step, usage=usage, stop_reason=stop_reason, duration_ms=7
    )


def thinking_started(step: int = 1) -> events.ThinkingStarted:
    return events.ThinkingStarted(at=AT, turn_id=TURN, step=step)


def message_started(step: int = 1) -> events.MessageStarted:
    return events.MessageStarted(at=AT, turn_id=TURN, step=step)


def call_started(call: str, name: str = "readFile", step: int = 1) -> events.ToolCallStarted:
    return events.ToolCallStarted(at=AT, turn_id=TURN, step=step, call_id=call, name=name)


def thinking_completed(item: int, text: str = "", **members: Any) -> events.ThinkingCompleted:
    return events.ThinkingCompleted(at=AT, turn_id=TURN, item=item, text=text, **members)


def message_completed(item: int, text: str = "", **members: Any) -> events.MessageCompleted:
    return events.MessageCompleted(at=AT, turn_id=TURN, item=item, text=text, **members)


def call_requested(
    item: int, arguments: str = "", name: str = "readFile", **members: Any
) -> events.ToolCallRequested:
    more = {"runs_on": "server", "approval": "none"} | members
    return events.ToolCallRequested(
        at=AT,
        turn_id=TURN,
        item=item,
        call_id=f"call_{item}",
        name=name,
        arguments=arguments,
        **more,
    )


def call_completed(
    item: int, status: ToolCallStatus = "ok", output: str = "", duration_ms: int = 3, **members: Any
) -> events.ToolCallCompleted:
    return events.ToolCallCompleted(
        at=AT,
        turn_id=TURN,
        item=item,
        call_id=f"call_{item}",
        status=status,
        output=output,
        duration_ms=duration_ms,
        **members,
    )


def call_approved(
    item: int, by: str = "alice", reason: str | None = None, **members: Any
) -> events.ToolCallApproved:
    return events.ToolCallApproved(
        at=AT, turn_id=TURN, item=item, call_id=f"call_{item}", by=by, reason=reason, **members
    )


def call_denied(item: int, by: str = "alice", reason: str | None = None) -> events.ToolCallDenied:
    return events.ToolCallDenied(
        at=AT, turn_id=TURN, item=item, call_id=f"call_{item}", by=by, reason=reason
    )


def wanted(item: int, kind: Wanted) -> events.WantedCall:
    return events.WantedCall(item=item, call_id=f"call_{item}", kind=kind)


def turn_requires_action(
    *calls: events.WantedCall, expires_at: int = NOW + PATIENCE
) -> events.TurnRequiresAction:
    return events.TurnRequiresAction(
        at=AT, turn_id=TURN, calls=calls, expires_at=timestamp(expires_at)
    )


def turn_retrying(retry: int = 1) -> events.TurnRetrying:
    return events.TurnRetrying(at=AT, turn_id=TURN, reason="overloaded", delay_ms=500, retry=retry)


def turn_cancel_requested(
    turn: UUID = TURN, by: str = "alice", reason: str | None = None
) -> events.TurnCancelRequested:
    return events.TurnCancelRequested(at=AT, turn_id=turn, by=by, reason=reason)


def turn_resumed(attempt: int, turn: UUID = TURN, node: str = "b") -> events.TurnResumed:
    return events.TurnResumed(at=AT, turn_id=turn, attempt=attempt, node=node)


def attempt_superseded(from_offset: int, usage: Usage | None = None) -> events.AttemptSuperseded:
    return events.AttemptSuperseded(at=AT, turn_id=TURN, from_offset=from_offset, usage=usage)


def turn_completed(
    answer: int | None = None, turn: UUID = TURN, usage: Usage = NO_USAGE
) -> events.TurnCompleted:
    result = None if answer is None else events.Result(item=answer)
    return events.TurnCompleted(at=AT, turn_id=turn, result=result, usage=usage)


def turn_failed(
    turn: UUID = TURN, usage: Usage = NO_USAGE, error: TurnError = OVERLOADED
) -> events.TurnFailed:
    return events.TurnFailed(at=AT, turn_id=turn, error=error, usage=usage)


def turn_cancelled(
    turn: UUID = TURN,
    usage: Usage = NO_USAGE,
    by: str = "alice",
    reason: str | None = "the conversation was deleted",
) -> events.TurnCancelled:
    return events.TurnCancelled(at=AT, turn_id=turn, by=by, reason=reason, usage=usage)


RUNNING: tuple[Fact, ...] = (created(), turn_queued(), turn_started())
IN_STEP: tuple[Fact, ...] = (*RUNNING, step_started())
FIRST_ITEM = len(IN_STEP) + 1
CALLED: tuple[Fact, ...] = (
    *IN_STEP,
    call_started(f"call_{FIRST_ITEM}"),
    call_requested(FIRST_ITEM, "{}"),
    step_completed(stop_reason="tool_use"),
)
CALL = f"call_{FIRST_ITEM}"
REPEATABLY_CALLED: tuple[Fact, ...] = (
    *IN_STEP,
    call_started(CALL),
    call_requested(FIRST_ITEM, "{}", repeatable=True),
    step_completed(stop_reason="tool_use"),
)
ANSWERED: tuple[Fact, ...] = (
    *IN_STEP,
    message_started(),
    message_completed(FIRST_ITEM, "Tea"),
    step_completed(),
)
NOBODY_KNOWS = "The server stopped while this call ran; whether it took effect is not known."
