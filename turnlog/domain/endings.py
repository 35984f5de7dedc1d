"""How what is open gets its end: the last event of an item, of a call, of all of a turn's."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from turnlog.domain import events
from turnlog.domain.codec import escape_line_ends, fit
from turnlog.domain.commands import CompleteItem
from turnlog.domain.events import Fact
from turnlog.domain.turn import OpenItem, RunningTurn, joined
from turnlog.domain.values import Consent, ProviderData, ToolCallStatus

NOBODY_KNOWS = "The server stopped while this call ran; whether it took effect is not known."


def ending(
    turn: RunningTurn,
    offset: int,
    at: str,
    *,
    partial: bool = False,
    provider_data: ProviderData | None = None,
    asked: CompleteItem | None = None,
) -> events.ThinkingCompleted | events.MessageCompleted | events.ToolCallRequested:
    """The ending of the open item that started at `offset`; `partial`: it was cut off.

    `asked` says of a whole call where it will run, and what that takes.
    """
    item = turn.items[offset]
    common: dict[str, Any] = {
        "at": at,
        "turn_id": turn.turn_id,
        "item": offset,
        "partial": partial,
        "provider_data": provider_data,
    }
    spare = 0
    if provider_data is not None:
        spare = len(escape_line_ends(msgspec.json.encode(provider_data)))
    text, cut = _bounded(joined(item.text), spare)
    match item.kind:
        case "thinking":
            return events.ThinkingCompleted(text=text, **common, **cut)
        case "message":
            return events.MessageCompleted(text=text, **common, **cut)
        case "tool_call":
            return _requested(turn, item, text, asked, common | cut)


def result(
    turn: RunningTurn, offset: int, at: str, status: ToolCallStatus, duration_ms: int = 0
) -> events.ToolCallCompleted:
    """The one result of the open call that started at `offset`."""
    call = turn.calls[offset]
    output, cut = _bounded(joined(call.output))
    return events.ToolCallCompleted(
        at=at,
        turn_id=turn.turn_id,
        item=offset,
        call_id=call.call_id,
        status=status,
        output=output,
        duration_ms=duration_ms,
        **cut,
    )


def unknown(turn: RunningTurn, offset: int, at: str) -> list[Fact]:
    """The result of a call that had begun when its node was lost: nobody knows what it did."""
    call = turn.calls[offset]
    told = f"\n{NOBODY_KNOWS}" if call.output else NOBODY_KNOWS
    delta = events.ToolCallOutputDelta(item=offset, delta=told)
    after = replace(turn, calls=turn.calls | {offset: replace(call, output=(call.output, told))})
    return [delta, result(after, offset, at, "unknown")]


def closings(turn: RunningTurn, at: str) -> list[Fact]:
    """Endings for all that a turn has open, before its own last event."""
    facts: list[Fact] = []
    for offset, item in turn.items.items():
        facts.append(ending(turn, offset, at, partial=True))
        if item.kind == "tool_call":
            facts.append(_never_ran(turn, offset, item, at))
    return [*facts, *(result(turn, offset, at, "cancelled") for offset in turn.calls)]


def _requested(
    turn: RunningTurn,
    item: OpenItem,
    arguments: str,
    asked: CompleteItem | None,
    common: dict[str, Any],
) -> events.ToolCallRequested:
    consent: Consent = "none"
    if asked is not None and item.name not in turn.allowed:
        consent = asked.approval
    return events.ToolCallRequested(
        call_id=item.call_id,
        name=item.name,
        arguments=arguments,
        runs_on="server" if asked is None else asked.runs_on,
        approval=consent,
        repeatable=asked is not None and asked.repeatable,
        **common,
    )


def _never_ran(turn: RunningTurn, offset: int, item: OpenItem, at: str) -> events.ToolCallCompleted:
    return events.ToolCallCompleted(
        at=at,
        turn_id=turn.turn_id,
        item=offset,
        call_id=item.call_id,
        status="cancelled",
        output="",
        duration_ms=0,
    )


def _bounded(whole: str, spare: int = 0) -> tuple[str, dict[str, Any]]:
    text = fit(whole, spare)
    if len(text) == len(whole):
        return text, {}
    return text, {"truncated": True, "bytes": len(whole.encode())}
