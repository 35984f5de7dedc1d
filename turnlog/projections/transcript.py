"""What counts of a conversation, turn by turn and step by step: the ground of every prompt."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from msgspec import Struct, field

from turnlog.domain import events
from turnlog.domain.events import Fact
from turnlog.domain.values import ContentPart, StopReason

Ending = events.ThinkingCompleted | events.MessageCompleted | events.ToolCallRequested


class Step(Struct):
    """One answer of the model, and what its user said while it was under way.

    `endings` are those of its items that count, by the offset of the item, in the
    order of their start; None while an item is still being written.
    """

    endings: dict[int, Ending | None] = field(default_factory=dict)
    steered: list[events.TurnSteered] = field(default_factory=list)
    stop_reason: StopReason | None = None


class Turn(Struct, kw_only=True):
    """A turn that started. Its first step has no items: it is the time before the model spoke."""

    content: tuple[ContentPart, ...]
    steps: list[Step]
    results: dict[int, events.ToolCallCompleted] = field(default_factory=dict)
    approvals: dict[int, events.ToolCallApproved] = field(default_factory=dict)
    denials: dict[int, events.ToolCallDenied] = field(default_factory=dict)
    ended: events.TurnEnded | None = None


def transcript(facts: Iterable[tuple[int, Fact]]) -> list[Turn]:
    """The turns in the order in which they started; one that never did is not among them.

    The facts are those that bear state: no deltas, and endings with their whole texts.
    """
    queued: dict[UUID, tuple[ContentPart, ...]] = {}
    turns: dict[UUID, Turn] = {}
    for offset, fact in facts:
        match fact:
            case events.TurnQueued():
                queued[fact.turn_id] = fact.content
            case events.TurnStarted():
                content = queued.get(fact.turn_id, ())
                turns.setdefault(fact.turn_id, Turn(content=content, steps=[Step()]))
            case _:
                turn = turns.get(getattr(fact, "turn_id", UUID(int=0)))
                if turn is not None:
                    _tell(turn, offset, fact)
    return list(turns.values())


def _tell(turn: Turn, offset: int, fact: Fact) -> None:
    step = turn.steps[-1]
    match fact:
        case events.TurnSteered():
            step.steered.append(fact)
        case events.StepStarted():
            turn.steps.append(Step())
        case events.StepCompleted():
            step.stop_reason = fact.stop_reason
        case events.ThinkingStarted() | events.MessageStarted() | events.ToolCallStarted():
            step.endings[offset] = None
        case events.ThinkingCompleted() | events.MessageCompleted() | events.ToolCallRequested():
            if fact.item in step.endings:
                step.endings[fact.item] = fact
        case events.ToolCallApproved():
            turn.approvals[fact.item] = fact
        case events.ToolCallDenied():
            turn.denials[fact.item] = fact
        case events.ToolCallCompleted():
            turn.results[fact.item] = fact
        case events.AttemptSuperseded():
            for each in turn.steps:
                each.endings = {
                    item: ending for item, ending in each.endings.items() if item < fact.from_offset
                }
        case events.TurnCompleted() | events.TurnFailed() | events.TurnCancelled():
            turn.ended = fact
        case _:
            pass
