"""Moves in the life of a conversation: most of them legal, some of them blunders."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from tests.domain import ask, fact
from turnlog.domain.commands import Command
from turnlog.domain.conversation import Conversation
from turnlog.domain.identity import turn_id_in
from turnlog.domain.turn import RunningTurn
from turnlog.domain.values import Usage

Options = Iterator[tuple[int, Command | None]]


class Move(Struct, frozen=True):
    """`choice` says which of the deeds that are possible is done, `lag` moves the clock."""

    choice: int
    text: str
    lag: int


def deed(move: Move, state: Conversation, now: int, number: int) -> Command | None:
    """What a move is in this state (None: a fact of a later release); its number makes ids."""
    options = list(_options(move, state, now, number))
    place = move.choice % sum(weight for weight, _ in options)
    for weight, option in options:
        place -= weight
        if place < 0:
            return option
    raise AssertionError("the weights add up")


def _options(move: Move, state: Conversation, now: int, number: int) -> Options:
    turn_id = turn_id_in(ask.CONVERSATION, ask.NOW + number, bytes(8))
    submit = replace(ask.submit(turn_id, move.text), at=now)
    yield 10, submit
    yield 3, replace(submit, on_busy="reject")
    yield 3, replace(submit, if_match=max(state.offset - 2, 0))
    yield 6, replace(ask.update(title=move.text), at=now)
    yield 3, replace(submit, on_busy="interrupt")
    yield 3, replace(submit, on_busy="steer")
    yield 6, None
    for turn in state.queue:
        yield 2, replace(ask.cancel(turn.turn_id), at=now)
    if state.running is not None:
        yield from _of_the_runner(move, state.running, now)
        yield from _of_another_node(move, state.running, now)
    yield 1, replace(ask.delete(), at=now)


def _of_the_runner(move: Move, turn: RunningTurn, now: int) -> Options:
    runner: dict[str, Any] = {"at": now, "turn_id": turn.turn_id, "attempt": turn.attempt}
    usage = Usage(input_tokens=len(move.text))
    yield 6, ask.complete_turn(**runner)
    yield 3, ask.fail_turn(fact.OVERLOADED, usage, **runner)
    if turn.cancel is not None:
        yield 20, ask.acknowledge_cancel(usage, **runner)
    if turn.in_step:
        item = len(turn.step_items)
        yield 12, ask.start_item(item, "thinking", **runner)
        yield 12, ask.start_item(item, "message", **runner)
        yield 20, ask.start_item(item, "tool_call", "tool", **runner)
        yield 12, ask.complete_step(usage, **runner)
        yield 6, ask.retry_step(usage=usage, **runner)
    elif not turn.calls:
        yield 60, ask.start_step(**runner)
    for number, offset in enumerate(turn.step_items):
        if offset in turn.items:
            yield 30, ask.append_text(move.text, number, **runner)
            yield 15, ask.complete_item(number, {"id": move.text}, **runner)
    for call in turn.calls.values():
        yield 15, ask.append_output(call.call_id, move.text, **runner)
        yield 10, ask.complete_call(call.call_id, **runner)
    for blunder in _blunders(move, turn, runner):
        yield 1, blunder


def _blunders(move: Move, turn: RunningTurn, runner: dict[str, Any]) -> Iterator[Command]:
    """What a runner of sound mind, or one that still owns the turn, does not say."""
    for number in range(-1, 4):
        yield ask.append_text(move.text, number, **runner)
        yield ask.complete_item(number, **runner)
        yield ask.start_item(number, **runner)
    yield ask.append_output("call_0", move.text, **runner)
    yield ask.complete_call("call_0", **runner)
    yield ask.complete_turn(**runner | {"attempt": turn.attempt + 1})
    yield ask.fail_turn(fact.OVERLOADED, **runner | {"attempt": turn.attempt - 1})
    yield ask.start_step(**runner | {"turn_id": ask.THIRD})
    yield ask.acknowledge_cancel(**runner | {"attempt": turn.attempt - 1})
    yield ask.retry_step(**runner | {"attempt": turn.attempt - 1})
    yield ask.resume(turn.attempt - 1, turn.turn_id)
    yield ask.cancel(ask.THIRD)


def _of_another_node(move: Move, turn: RunningTurn, now: int) -> Options:
    yield 3, replace(ask.cancel(turn.turn_id), at=now)
    yield 5, replace(ask.resume(turn.attempt, turn.turn_id), at=now)
