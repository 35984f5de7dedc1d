"""The vocabulary of the Codex EventMsg protocol, for front ends that speak it.

Every payload says its name twice (`event`, `type`) and which model it is of. The
members within are the protocol's own, in snake case.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from turnlog.domain import codec, events
from turnlog.domain.events import Fact
from turnlog.domain.records import Entry
from turnlog.domain.values import Model, Usage
from turnlog.projections.context import Context, KnownCall, runs_at_once
from turnlog.projections.frames import encoded, frame, frame_without_id
from turnlog.projections.levels import Levels

_Payload = tuple[str, dict[str, Any]]

_FAILED = {
    "error": "failed",
    "timeout": "took too long and was stopped",
    "unknown": "was interrupted, and its outcome is unknown",
}
_ERROR_KINDS = {
    "authentication": "unauthorized",
    "context_too_long": "context_window_exceeded",
    "invalid_request": "bad_request",
    "rate_limited": "usage_limit_exceeded",
}


class Codex:
    """`id` is `TURN:OFFSET`; an event without a word in this vocabulary gives no frame."""

    levels = Levels(thinking="full", tools="none")
    needs_context = True

    def render(self, entry: Entry, levels: Levels, context: Context) -> bytes:
        """The frames of one event, of which the last has the id."""
        if entry.topic not in _SPOKEN:
            return b""
        fact = codec.decode(entry.topic, entry.state)
        assert fact is not None
        payloads = _payloads(fact, levels, context)
        if not payloads:
            return b""
        model = context.model_of(entry.turn_id)
        *before, last = [(name, _data(name, model, members)) for name, members in payloads]
        first = b"".join(frame_without_id(name, data) for name, data in before)
        return first + frame(f"{entry.turn_id}:{entry.offset}", *last)


_SPOKEN = frozenset(
    codec.topic_of(kind)
    for kind in (
        events.TurnStarted,
        events.ThinkingStarted,
        events.ThinkingDelta,
        events.ThinkingCompleted,
        events.MessageCompleted,
        events.ToolCallRequested,
        events.ToolCallApproved,
        events.ToolCallCompleted,
        events.TurnRequiresAction,
        events.TurnCompleted,
        events.TurnFailed,
        events.TurnCancelled,
    )
)


def _data(name: str, model: Model, members: dict[str, Any]) -> bytes:
    return encoded(
        {
            "event": name,
            "type": name,
            "modelProviderId": model.model_provider_id,
            "modelProviderApi": model.model_provider_api,
            "model": model.model,
            **members,
        }
    )


def _payloads(fact: Fact, levels: Levels, context: Context) -> list[_Payload]:
    match fact:
        case events.TurnStarted():
            return [("task_started", {"turn_id": fact.turn_id, "model_context_window": None})]
        case events.ThinkingStarted() | events.ThinkingDelta() | events.ThinkingCompleted():
            return _thinking(fact, levels)
        case events.MessageCompleted():
            blank = fact.partial and not fact.text.strip()
            return [] if blank else [("agent_message", {"message": fact.text, **_cut(fact)})]
        case events.ToolCallRequested():
            return _call_begins(fact, levels)
        case events.ToolCallApproved():
            call = context.call(fact.item)
            if call is None or not call.on_server or levels.tools == "none":
                return []
            if fact.arguments is not None:
                call = replace(call, arguments=fact.arguments)
            return [("exec_command_begin", _command(fact, call, levels))]
        case events.ToolCallCompleted():
            return _call_ends(fact, levels, context)
        case events.TurnRequiresAction():
            return [("requires_action", _wanted(fact, context))]
        case events.TurnCompleted():
            return [("task_complete", _completed(fact, levels, context))]
        case events.TurnFailed():
            return [("error", _failure(fact))]
        case events.TurnCancelled():
            return [
                (
                    "turn_aborted",
                    {
                        "turn_id": fact.turn_id,
                        "reason": "interrupted",
                        "by": fact.by,
                        "message": fact.reason,
                    },
                )
            ]
        case _:
            return []


def _thinking(
    fact: events.ThinkingStarted | events.ThinkingDelta | events.ThinkingCompleted, levels: Levels
) -> list[_Payload]:
    if levels.thinking == "none":
        return []
    full = levels.thinking == "full"
    match fact:
        case events.ThinkingStarted():
            return [("thinking_started", {})]
        case events.ThinkingDelta():
            return [("thinking_delta", {"delta": fact.delta})] if full else []
        case events.ThinkingCompleted():
            if not full:
                return [("thinking_completed", {})]
            text = {"text": fact.text, **_cut(fact)}
            return [("agent_reasoning", text), ("thinking_completed", text)]


def _call_begins(fact: events.ToolCallRequested, levels: Levels) -> list[_Payload]:
    if levels.tools == "none":
        return []
    begin: dict[str, Any] = {"call_id": fact.call_id, "name": fact.name}
    if levels.tools == "full":
        begin |= {"arguments": fact.arguments, **_cut(fact)}
    payloads = [("tool_call_begin", begin)]
    if runs_at_once(fact):
        payloads.append(("exec_command_begin", _command(fact, fact, levels)))
    return payloads


def _call_ends(fact: events.ToolCallCompleted, levels: Levels, context: Context) -> list[_Payload]:
    """The end of a call; that it failed is told at every level."""
    call = context.call(fact.item)
    name = "the tool" if call is None else call.name
    payloads: list[_Payload] = []
    if levels.tools != "none":
        end = {"call_id": fact.call_id, "name": name, "status": fact.status}
        shown = {"output": fact.output, **_cut(fact)} if levels.tools == "full" else {}
        if call is not None and call.ran:
            payloads.append(("exec_command_end", _command_end(fact, call, levels)))
        payloads.append(("tool_call_end", end | {"success": fact.status == "ok"} | shown))
    if fact.status in _FAILED:
        told = fact.status == "error" and fact.output.strip()
        message = f"{name}: {fact.output}" if told else f"{name} {_FAILED[fact.status]}"
        payloads.append(
            ("error", {"message": message, "codex_error_info": "other", "call_id": fact.call_id})
        )
    return payloads


def _command(
    fact: events.ToolCallRequested | events.ToolCallApproved | events.ToolCallCompleted,
    call: KnownCall | events.ToolCallRequested,
    levels: Levels,
) -> dict[str, Any]:
    """A call as a command; tools run in the workspace, so that is their folder."""
    return {
        "call_id": fact.call_id,
        "turn_id": fact.turn_id,
        "command": _words(call) if levels.tools == "full" else [call.name],
        "cwd": ".",
        "parsed_cmd": [],
        "source": "agent",
    }


def _words(call: KnownCall | events.ToolCallRequested) -> list[str]:
    """A shell's command line, or the name of another tool with its arguments."""
    try:
        arguments = msgspec.json.decode(call.arguments, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError):
        return [call.name, call.arguments]
    match arguments.get("command"):
        case str(line):
            return [line]
        case [*words] if all(isinstance(word, str) for word in words):
            return words
        case _:
            return [call.name, call.arguments]


def _command_end(fact: events.ToolCallCompleted, call: KnownCall, levels: Levels) -> dict[str, Any]:
    output = fact.output if levels.tools == "full" else ""
    well = fact.status == "ok"
    seconds, rest = divmod(fact.duration_ms, 1000)
    return {
        **_command(fact, call, levels),
        "stdout": output if well else "",
        "stderr": "" if well else output,
        "exit_code": 0 if well else 1,
        "duration": {"secs": seconds, "nanos": rest * 1_000_000},
        "formatted_output": output,
    }


def _wanted(fact: events.TurnRequiresAction, context: Context) -> dict[str, Any]:
    calls = []
    for wanted in fact.calls:
        call = context.call(wanted.item)
        name = None if call is None else call.name
        calls.append({"call_id": wanted.call_id, "kind": wanted.kind, "name": name})
    return {"turn_id": fact.turn_id, "calls": calls}


def _completed(fact: events.TurnCompleted, levels: Levels, context: Context) -> dict[str, Any]:
    answer = None if fact.result is None else context.answer(fact.turn_id, fact.result.item)
    return {
        "turn_id": fact.turn_id,
        "last_agent_message": answer,
        "usage": _usage(fact.usage, levels),
    }


def _usage(usage: Usage, levels: Levels) -> dict[str, Any]:
    """Tokens in the protocol's words; at `none` those of reasoning are not told apart."""
    told = {} if levels.thinking == "none" else {"reasoning_output_tokens": usage.reasoning_tokens}
    return {
        "input_tokens": usage.input_tokens,
        "cached_input_tokens": usage.cached_input_tokens,
        "output_tokens": usage.output_tokens,
        **told,
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }


def _failure(fact: events.TurnFailed) -> dict[str, Any]:
    return {
        "message": fact.error.message,
        "codex_error_info": _ERROR_KINDS.get(fact.error.code, "other"),
        "code": fact.error.code,
        "turn_id": fact.turn_id,
    }


def _cut(
    ending: events.ThinkingCompleted
    | events.MessageCompleted
    | events.ToolCallRequested
    | events.ToolCallCompleted,
) -> dict[str, Any]:
    return {"truncated": True, "bytes": ending.bytes} if ending.truncated else {}
