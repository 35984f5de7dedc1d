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
from turnlog.domain.values import Usage, microseconds_of

Options = Iterator[tuple[int, Command | None]]

TOOLS = ("tool", "other")
# Where a call runs, and what that takes.
TERMS: tuple[dict[str, Any], ...] = (
    {},
    {"runs_on": "client"},
    {"approval": "required"},
    {"approval": "required"},
    {"runs_on": "client", "approval": "required"},
)


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
        if state.running.resting:
            yield from _too_late(move, state.running, now)
        else:
            yield from _of_the_runner(move, state.running, now)
        yield from _of_who_answers(move, state.running, now)
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
        yield 20, ask.start_item(item, "tool_call", TOOLS[move.choice % len(TOOLS)], **runner)
        yield 20 if turn.calls else 12, ask.complete_step(usage, **runner)
        yield 6, ask.retry_step(usage=usage, **runner)
    elif not turn.calls:
        yield 60, ask.start_step(**runner)
    for number, offset in enumerate(turn.step_items):
        if offset in turn.items:
            yield 30, ask.append_text(move.text, number, **runner)
            terms = TERMS[(move.choice // 7) % len(TERMS)]
            yield 25, ask.complete_item(number, {"id": move.text}, **runner, **terms)
    for call in turn.calls.values():
        yield 1 if call.wants else 15, ask.append_output(call.call_id, move.text, **runner)
        yield 1 if call.wants else 10, ask.complete_call(call.call_id, **runner)
    if turn.calls and not turn.in_step:
        all_wait = len(turn.wanted) == len(turn.calls)
        yield 100 if all_wait else 1, ask.rest(**runner)
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


def _too_late(move: Move, turn: RunningTurn, now: int) -> Options:
    """What whoever ran a turn might still say of it while it rests."""
    runner: dict[str, Any] = {"at": now, "turn_id": turn.turn_id, "attempt": turn.attempt}
    yield 2, ask.start_step(**runner)
    yield 2, ask.complete_turn(**runner)
    yield 2, ask.fail_turn(fact.OVERLOADED, **runner)
    yield 2, ask.rest(**runner)
    for call in turn.calls.values():
        yield 1, ask.append_output(call.call_id, move.text, **runner)
        yield 1, ask.complete_call(call.call_id, **runner)


def _of_who_answers(move: Move, turn: RunningTurn, now: int) -> Options:
    """Results and decisions: of one call, of all, and of such as do not wait for that."""
    on: dict[str, Any] = {"turn": turn.turn_id}
    results = [call.call_id for call in turn.wanted if call.kind == "result"]
    approvals = [call.call_id for call in turn.wanted if call.kind == "approval"]
    given: list[Command] = [
        ask.provide(*(ask.result(call, move.text) for call in calls), **on)
        for calls in _some_of(results)
    ]
    edited = '{"edited":true}' if len(move.text) % 2 else None
    given += [
        ask.decide_calls(
            ask.decision(calls[0], "allowForTurn" if len(move.text) % 3 else "allow", None, edited),
            *(ask.decision(call, "deny", move.text or None) for call in calls[1:]),
            **on,
        )
        for calls in (*_some_of(approvals), *_some_of(approvals[::-1]))
    ]
    given += [ask.decide_calls(ask.decision(call, "deny"), **on) for call in approvals]
    for answer in given:
        yield 20 if turn.resting else 3, replace(answer, at=now)
    for call in [*turn.calls.values()][:2]:
        yield 1, replace(ask.provide(ask.result(call.call_id, move.text), **on), at=now)
        yield 1, replace(ask.decide_calls(ask.decision(call.call_id), **on), at=now)
    yield 1, replace(ask.provide(ask.result("call_0"), **on), at=now)
    yield 1, replace(ask.expire(now, turn.turn_id), at=now)
    if turn.expires_at is not None:
        yield 2, ask.expire(microseconds_of(turn.expires_at), turn.turn_id)


def _some_of(calls: list[str]) -> list[list[str]]:
    """The first one, and all of them."""
    return [calls[:1], calls] if len(calls) > 1 else [calls] if calls else []


def _of_another_node(move: Move, turn: RunningTurn, now: int) -> Options:
    yield 3, replace(ask.cancel(turn.turn_id), at=now)
    yield 5, replace(ask.resume(turn.attempt, turn.turn_id), at=now)
