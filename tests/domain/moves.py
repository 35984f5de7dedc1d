"""Moves in the life of a conversation: most of them legal, some of them blunders."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from tests.domain import ask, fact
from turnlog.domain import commands, events
from turnlog.domain.commands import Command
from turnlog.domain.conversation import Conversation, RunningTurn
from turnlog.domain.decisions import moment
from turnlog.domain.events import Changes, Fact
from turnlog.domain.identity import turn_id_in
from turnlog.domain.values import ItemKind, Usage, timestamp

Act = Literal[
    "submit",
    "update",
    "delete",
    "step",
    "think",
    "answer",
    "call",
    "say",
    "close",
    "end step",
    "output",
    "result",
    "end turn",
    "fail turn",
    "blunder",
    "resume",
    "ask to cancel",
    "a later release",
]
_OFTEN: dict[Act, int] = {"submit": 3, "step": 4, "answer": 3, "call": 3, "say": 8, "close": 3}
_OFTEN |= {"output": 3, "result": 2, "delete": 1, "end step": 2}
ACTS: list[Act] = [
    "update",
    "think",
    "end turn",
    "fail turn",
    "blunder",
    "resume",
    "ask to cancel",
    "a later release",
    *(act for act, times in _OFTEN.items() for _ in range(times)),
]


class Move(Struct, frozen=True):
    """What somebody does next; `which` chooses among what there is, `lag` moves the clock."""

    act: Act
    which: int
    text: str
    lag: int


def asked(move: Move, state: Conversation, now: int, number: int) -> Command | None:
    """The command that a move is just now, if it is one."""
    match move.act:
        case "submit":
            turn = turn_id_in(ask.CONVERSATION, ask.NOW + number, bytes(8))
            return commands.SubmitMessage(
                at=now,
                turn_id=turn,
                content=ask.said(move.text),
                on_busy="reject" if move.which == 0 else "enqueue",
                if_match=state.offset - move.which if move.which > 3 else None,
            )
        case "update":
            return commands.UpdateConversation(at=now, changes=Changes(title=move.text))
        case "delete":
            return commands.DeleteConversation(at=now, by="alice") if move.which == 0 else None
        case _:
            return None if state.running is None else _runners(move, state.running, now)


def _runners(move: Move, turn: RunningTurn, now: int) -> Command | None:
    """What the turn's runner says, if it can say so just now."""
    runner: dict[str, Any] = {"at": now, "turn_id": turn.turn_id, "attempt": turn.attempt}
    open_items = [n for n, offset in enumerate(turn.step_items) if offset in turn.items]
    item = open_items[move.which % len(open_items)] if open_items else None
    calls = [call.call_id for call in turn.calls.values()]
    call = calls[move.which % len(calls)] if calls else None
    usage = Usage(input_tokens=move.which)
    match move.act:
        case "step" if not turn.in_step and not calls:
            return ask.start_step(**runner)
        case "think" | "answer" | "call" if turn.in_step:
            kinds: dict[str, ItemKind] = {"think": "thinking", "answer": "message"}
            kind = kinds.get(move.act, "tool_call")
            return ask.start_item(len(turn.step_items), kind, "tool", **runner)
        case "say" if item is not None:
            return ask.append_text(move.text, item, **runner)
        case "close" if item is not None:
            return ask.complete_item(item, {"id": move.text}, **runner)
        case "end step" if turn.in_step:
            return ask.complete_step(usage, **runner)
        case "output" if call is not None:
            return ask.append_output(call, move.text, **runner)
        case "result" if call is not None:
            return ask.complete_call(call, **runner)
        case "end turn":
            return ask.complete_turn(**runner)
        case "fail turn":
            return ask.fail_turn(fact.OVERLOADED, usage, **runner)
        case "blunder":
            return _blunder(move, turn, runner)
        case _:
            return None


def _blunder(move: Move, turn: RunningTurn, runner: dict[str, Any]) -> Command:
    """A command that a runner of sound mind, or one that still owns the turn, does not send."""
    number = move.which - 2
    blunders: list[Command] = [
        ask.start_item(number, **runner),
        ask.append_text(move.text, number, **runner),
        ask.complete_item(number, **runner),
        ask.append_output("call_0", move.text, **runner),
        ask.complete_call("call_0", **runner),
        ask.complete_turn(**runner | {"attempt": turn.attempt + 1}),
        ask.start_step(**runner | {"attempt": turn.attempt - 1}),
        ask.start_step(**runner | {"turn_id": ask.THIRD}),
    ]
    return blunders[(len(move.text) + move.which) % len(blunders)]


def told_by_another_node(move: Move, state: Conversation, now: int) -> list[Fact]:
    """What other nodes write about the running turn, as long as no command here makes it."""
    turn = state.running
    if turn is None:
        return []
    at = timestamp(moment(commands.DeleteConversation(at=now, by=""), state))
    if move.act == "ask to cancel":
        return [events.TurnCancelRequested(at=at, turn_id=turn.turn_id, by="alice")]
    if move.act == "resume":
        start = state.offset + 1 if not turn.step_items else turn.step_items[0]
        attempt = turn.attempt + 1
        return [
            events.AttemptSuperseded(at=at, turn_id=turn.turn_id, from_offset=start),
            events.TurnResumed(at=at, turn_id=turn.turn_id, attempt=attempt, node="b"),
        ]
    return []
