"""Commands with fixed ids, all asked at one moment (`NOW`)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from turnlog.domain import commands
from turnlog.domain.events import Changes
from turnlog.domain.values import (
    Configuration,
    ContentPart,
    ItemKind,
    StopReason,
    TextPart,
    ToolCallStatus,
    TurnError,
    Usage,
    Verdict,
)

NOW = 1_767_225_600_000_000  # 2026-01-01T00:00:00Z
PATIENCE = 3_600_000_000
CONVERSATION = UUID("019b76da-a800-7000-8000-0000000000c0")
TURN = UUID("019b76da-a801-7000-8000-0000000000c0")
SECOND = UUID("019b76da-a802-7000-8000-0000000000c0")
THIRD = UUID("019b76da-a803-7000-8000-0000000000c0")

MODEL: dict[str, Any] = {
    "model_provider_id": "openai",
    "model_provider_api": "responses",
    "model": "gpt-5",
}
OTHER_MODEL: dict[str, Any] = {
    "model_provider_id": "anthropic",
    "model_provider_api": "messages",
    "model": "opus",
}
USAGE = Usage(input_tokens=10, output_tokens=5)
NO_USAGE = Usage()
GIVEN_UP = TurnError(code="step_limit", message="It took too long.", retryable=False)


def configuration(**members: Any) -> Configuration:
    return Configuration(**MODEL | members)


def said(text: str) -> tuple[ContentPart, ...]:
    return (TextPart(text=text),)


def create(**members: Any) -> commands.CreateConversation:
    return commands.CreateConversation(
        at=NOW, conversation_id=CONVERSATION, configuration=configuration(**members)
    )


def update(if_match: int | None = None, **changes: Any) -> commands.UpdateConversation:
    return commands.UpdateConversation(at=NOW, changes=Changes(**changes), if_match=if_match)


def delete(by: str = "alice") -> commands.DeleteConversation:
    return commands.DeleteConversation(at=NOW, by=by)


def submit(turn: UUID = TURN, text: str = "Hello", **members: Any) -> commands.SubmitMessage:
    return commands.SubmitMessage(at=NOW, turn_id=turn, content=said(text), **members)


def cancel(turn: UUID = TURN, by: str = "alice", reason: str | None = None) -> commands.CancelTurn:
    return commands.CancelTurn(at=NOW, turn_id=turn, by=by, reason=reason)


def resume(attempt: int = 1, turn: UUID = TURN, node: str = "b") -> commands.ResumeTurn:
    return commands.ResumeTurn(at=NOW, turn_id=turn, attempt=attempt, node=node)


def result(call: str, output: str = "", status: ToolCallStatus = "ok") -> commands.CallResult:
    return commands.CallResult(call_id=call, output=output, status=status)


def provide(
    *results: commands.CallResult, turn: UUID = TURN, node: str = "b"
) -> commands.ProvideResults:
    return commands.ProvideResults(
        at=NOW, turn_id=turn, node=node, expires_at=NOW + PATIENCE, results=results
    )


def decision(
    call: str, verdict: Verdict = "allow", reason: str | None = None, arguments: str | None = None
) -> commands.CallDecision:
    return commands.CallDecision(call_id=call, verdict=verdict, reason=reason, arguments=arguments)


def decide_calls(
    *decisions: commands.CallDecision, turn: UUID = TURN, node: str = "b", by: str = "alice"
) -> commands.DecideCalls:
    return commands.DecideCalls(
        at=NOW,
        turn_id=turn,
        node=node,
        expires_at=NOW + PATIENCE,
        decisions=decisions,
        by=by,
    )


def expire(at: int = NOW, turn: UUID = TURN, node: str = "b") -> commands.ExpireTurn:
    return commands.ExpireTurn(at=at, turn_id=turn, node=node)


def rest(**runner: Any) -> commands.RestTurn:
    return commands.RestTurn(expires_at=NOW + PATIENCE, **_runner(runner))


def start_step(**runner: Any) -> commands.StartStep:
    return commands.StartStep(**_runner(runner))


def start_item(
    item: int = 0, kind: ItemKind = "message", name: str = "", **runner: Any
) -> commands.StartItem:
    return commands.StartItem(item=item, kind=kind, name=name, **_runner(runner))


def append_text(text: str, item: int = 0, **runner: Any) -> commands.AppendText:
    return commands.AppendText(item=item, text=text, **_runner(runner))


def complete_item(
    item: int = 0, provider_data: dict[str, object] | None = None, **members: Any
) -> commands.CompleteItem:
    """Of a call also where it runs, and what that takes."""
    return commands.CompleteItem(item=item, provider_data=provider_data, **_runner(members))


def complete_step(
    usage: Usage = USAGE, stop_reason: StopReason = "end_turn", **runner: Any
) -> commands.CompleteStep:
    return commands.CompleteStep(
        usage=usage, stop_reason=stop_reason, duration_ms=7, **_runner(runner)
    )


def append_output(call: str, text: str, **runner: Any) -> commands.AppendOutput:
    return commands.AppendOutput(call_id=call, text=text, **_runner(runner))


def complete_call(
    call: str, status: ToolCallStatus = "ok", **runner: Any
) -> commands.CompleteToolCall:
    return commands.CompleteToolCall(call_id=call, status=status, duration_ms=3, **_runner(runner))


def retry_step(retry: int = 1, usage: Usage | None = None, **runner: Any) -> commands.RetryStep:
    return commands.RetryStep(
        reason="overloaded", delay_ms=500, retry=retry, usage=usage, **_runner(runner)
    )


def acknowledge_cancel(usage: Usage = NO_USAGE, **runner: Any) -> commands.AcknowledgeCancel:
    return commands.AcknowledgeCancel(usage=usage, **_runner(runner))


def complete_turn(**runner: Any) -> commands.CompleteTurn:
    return commands.CompleteTurn(**_runner(runner))


def fail_turn(error: TurnError, usage: Usage = NO_USAGE, **runner: Any) -> commands.FailTurn:
    return commands.FailTurn(error=error, usage=usage, **_runner(runner))


def _runner(members: dict[str, Any]) -> dict[str, Any]:
    return {"at": NOW, "turn_id": TURN, "attempt": 1} | members
