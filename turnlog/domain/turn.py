"""The turn that runs: what of it is open, and how each fact moves it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar, assert_never
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from turnlog.domain import events
from turnlog.domain.events import Fact
from turnlog.domain.values import Configuration, ItemKind, RunsOn, Usage, Wanted

Chunks = tuple["Chunks", str] | None
_Open = TypeVar("_Open")


class OpenItem(Struct, frozen=True, kw_only=True):
    """A thought, a message, or a call's arguments, still being written."""

    kind: ItemKind
    call_id: str = ""
    name: str = ""
    text: Chunks = None


class OpenCall(Struct, frozen=True, kw_only=True):
    """A call that has no result yet; `partial`: the model was cut off while it wrote it.

    `allowed`: it needs nobody's consent, or has it.
    """

    call_id: str
    name: str
    arguments: str
    asked_at: str
    runs_on: RunsOn
    allowed: bool = True
    repeatable: bool = False
    partial: bool = False
    output: Chunks = None

    @property
    def wants(self) -> Wanted | None:
        """What it waits for; None where it is the server's to run."""
        if self.partial:
            return None
        if not self.allowed:
            return "approval"
        return "result" if self.runs_on == "client" else None


class RunningTurn(Struct, frozen=True, kw_only=True):
    """The turn that runs; `items` and `calls` are the open ones, by their item's offset.

    `unheard`: there is something that the model was not told yet, so the turn
    cannot end. `resting`: no node runs it until what its calls want is there, and it ends
    if that is not so before it `expires_at`; `allowed`
    names the tools whose calls need no consent any more. `fruitless` counts how often the
    turn was taken over since a step, or a call of a whole step, was last completed.
    """

    turn_id: UUID
    attempt: int
    settings: Configuration
    node: str = ""
    step: int = 0
    step_offset: int = 0
    in_step: bool = False
    unheard: bool = False
    step_items: tuple[int, ...] = ()
    items: dict[int, OpenItem] = {}
    calls: dict[int, OpenCall] = {}
    answers: tuple[int, ...] = ()
    usage: Usage = Usage()
    cancel: events.TurnCancelRequested | None = None
    resting: bool = False
    expires_at: str | None = None
    allowed: frozenset[str] = frozenset()
    fruitless: int = 0

    @property
    def wants_step(self) -> bool:
        """Whether the model is to be asked (again) before the turn can end."""
        return self.unheard or self.in_step or not self.step_offset

    @property
    def wanted(self) -> tuple[events.WantedCall, ...]:
        """The calls that the server cannot run, and what they wait for."""
        return tuple(
            events.WantedCall(item=item, call_id=call.call_id, kind=wants)
            for item, call in self.calls.items()
            if (wants := call.wants) is not None
        )


def joined(chunks: Chunks) -> str:
    """The text of chunks that were put together back to front."""
    parts: list[str] = []
    while chunks is not None:
        chunks, part = chunks
        parts.append(part)
    return "".join(reversed(parts))


def grown(turn: RunningTurn, delta: events.Delta) -> RunningTurn:
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


def after(turn: RunningTurn, facts: Iterable[Fact]) -> RunningTurn:
    """The turn after facts that open no item of it."""
    for fact in facts:
        if isinstance(fact, events.Delta):
            turn = grown(turn, fact)
        elif isinstance(fact, TurnFact):
            turn = moved(turn, fact, 0)
    return turn


TurnFact = (
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


def moved(turn: RunningTurn, fact: TurnFact, offset: int) -> RunningTurn:
    if fact.turn_id != turn.turn_id:
        return turn
    match fact:
        case events.StepStarted():
            return replace(
                turn,
                step=fact.step,
                step_offset=offset,
                in_step=True,
                unheard=False,
                step_items=(),
            )
        case events.StepCompleted():
            unheard = turn.unheard or bool(turn.calls) or fact.stop_reason == "pause_turn"
            usage = turn.usage + fact.usage
            return replace(turn, in_step=False, unheard=unheard, usage=usage, fruitless=0)
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
            answers = turn.answers if fact.partial else (*turn.answers, fact.item)
            return replace(turn, items=_without(turn.items, fact.item), answers=answers)
        case events.ToolCallRequested():
            call = OpenCall(
                call_id=fact.call_id,
                name=fact.name,
                arguments=_whole_arguments(turn, fact),
                asked_at=fact.at,
                runs_on=fact.runs_on,
                allowed=fact.approval == "none",
                repeatable=fact.repeatable,
                partial=fact.partial,
            )
            return replace(
                turn, items=_without(turn.items, fact.item), calls=turn.calls | {fact.item: call}
            )
        case events.ToolCallApproved():
            return _allowed(turn, fact)
        case events.ToolCallCompleted():
            # Within a step it is a call that never ran here: the step may come to nothing.
            fruitless = turn.fruitless if turn.in_step else 0
            calls = _without(turn.calls, fact.item)
            return replace(turn, calls=calls, unheard=True, fruitless=fruitless)
        case events.TurnRequiresAction():
            return replace(turn, resting=True, expires_at=fact.expires_at, node="")
        case events.AttemptSuperseded():
            return replace(
                turn,
                step=turn.step - 1 if turn.in_step else turn.step,
                in_step=False,
                unheard=True,
                step_items=(),
                answers=tuple(item for item in turn.answers if item < fact.from_offset),
                usage=turn.usage + (fact.usage or Usage()),
            )
        case events.TurnResumed():
            fruitless = 0 if turn.resting else turn.fruitless + 1
            return replace(
                turn, attempt=fact.attempt, node=fact.node, resting=False, fruitless=fruitless
            )
        case events.TurnSteered():
            return replace(turn, unheard=True)
        case events.TurnCancelRequested():
            return replace(turn, cancel=fact)
        case events.ToolCallDenied() | events.TurnRetrying():
            return turn
        case _:
            assert_never(fact)


def _opened(turn: RunningTurn, offset: int, item: OpenItem) -> RunningTurn:
    return replace(turn, step_items=(*turn.step_items, offset), items=turn.items | {offset: item})


def _allowed(turn: RunningTurn, fact: events.ToolCallApproved) -> RunningTurn:
    call = turn.calls.get(fact.item)
    if call is None:
        return turn
    arguments = call.arguments if fact.arguments is None else fact.arguments
    call = replace(call, allowed=True, arguments=arguments)
    allowed = turn.allowed | {call.name} if fact.for_turn else turn.allowed
    return replace(turn, calls=turn.calls | {fact.item: call}, allowed=allowed)


def _whole_arguments(turn: RunningTurn, fact: events.ToolCallRequested) -> str:
    """A call's arguments, from its deltas if its event could not hold them."""
    item = turn.items.get(fact.item)
    return joined(item.text) if fact.truncated and item and item.text else fact.arguments


def _without(things: dict[int, _Open], key: int) -> dict[int, _Open]:
    return {other: thing for other, thing in things.items() if other != key}
