"""Follows what a log says of calls that wait, and objects to what must never happen to them."""

from __future__ import annotations

from collections import defaultdict
from uuid import UUID

from turnlog.domain import events
from turnlog.domain.events import Fact


class Waiting:
    """What the open calls of the turn that runs wait for, and who has consented to what."""

    def __init__(self) -> None:
        self._requests: dict[int, events.ToolCallRequested] = {}
        self._open: dict[int, UUID] = {}
        self._approved: set[int] = set()
        self._denied: set[int] = set()
        self._allowed: defaultdict[UUID, set[str]] = defaultdict(set)
        self._stopping: set[UUID] = set()
        self._in_step = False
        self._resting: UUID | None = None
        self._was_answered = False

    def hear(self, fact: Fact) -> None:
        """The event is in the log."""
        if self._resting is not None and getattr(fact, "turn_id", None) == self._resting:
            assert isinstance(fact, _WHILE_IT_RESTS)
        match fact:
            case events.StepStarted():
                assert not self._open, "a step follows all results"
                self._in_step = True
            case events.StepCompleted() | events.AttemptSuperseded():
                self._in_step = False
            case events.ToolCallRequested():
                self._requests[fact.item], self._open[fact.item] = fact, fact.turn_id
                allowed = fact.name in self._allowed[fact.turn_id]
                assert not allowed or fact.approval == "none", "it was allowed for the turn"
            case events.ToolCallApproved():
                assert self._wants(fact.item) == "approval"
                self._approved.add(fact.item)
                self._was_answered = True
                if fact.for_turn:
                    self._allowed[fact.turn_id].add(self._requests[fact.item].name)
            case events.ToolCallDenied():
                assert self._wants(fact.item) == "approval"
                self._denied.add(fact.item)
            case events.ToolCallCompleted():
                assert fact.item not in self._denied or fact.status == "cancelled"
                assert self._open.pop(fact.item, None) == fact.turn_id, "each has one result"
                self._was_answered = True
            case events.TurnCancelRequested():
                self._stopping.add(fact.turn_id)
            case events.TurnRequiresAction():
                self._comes_to_rest(fact)
            case events.TurnResumed():
                self._wakes(fact)
            case events.TurnCompleted() | events.TurnFailed() | events.TurnCancelled():
                assert fact.turn_id not in self._open.values()
                if fact.turn_id == self._resting:
                    assert not isinstance(fact, events.TurnCompleted)
                    self._resting = None
            case events.TurnStarted():
                self._in_step = False
            case _:
                pass

    def executed(self, item: int) -> None:
        """A node has started the tool."""
        request = self._requests[item]
        assert request.runs_on == "server", "the caller's functions are the caller's to run"
        assert request.approval == "none" or item in self._approved, "not without consent"
        assert item not in self._denied

    def _comes_to_rest(self, fact: events.TurnRequiresAction) -> None:
        assert not self._in_step, "no step is left for that"
        assert fact.turn_id not in self._stopping, "what is to stop does not rest"
        assert fact.calls, "for nothing it does not rest"
        assert fact.expires_at is not None, "nor for ever"
        wanted = [(item, self._wants(item)) for item in self._open]
        assert [(call.item, call.kind) for call in fact.calls] == wanted, "all of them wait"
        self._resting, self._was_answered = fact.turn_id, False

    def _wakes(self, fact: events.TurnResumed) -> None:
        if self._resting is None:
            return
        assert self._was_answered, "nothing but an answer wakes it"
        assert not self._open or not all(map(self._wants, self._open)), "there is much to do"
        self._resting = None

    def _wants(self, item: int) -> str | None:
        request = self._requests[item]
        assert item in self._open
        if request.partial:
            return None
        if request.approval == "required" and item not in self._approved:
            return "approval"
        return "result" if request.runs_on == "client" else None


_WHILE_IT_RESTS = (
    events.TurnSteered
    | events.TurnCancelRequested
    | events.ToolCallApproved
    | events.ToolCallDenied
    | events.ToolCallCompleted
    | events.TurnRequiresAction
    | events.TurnResumed
    | events.TurnFailed
    | events.TurnCancelled
)
