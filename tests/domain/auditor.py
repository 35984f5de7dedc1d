"""Follows a log event by event, and objects to what must never happen."""

from __future__ import annotations

from collections import Counter, defaultdict
from uuid import UUID

from tests.domain.waiting import Waiting
from turnlog.domain import events
from turnlog.domain.events import Fact


class Auditor:
    """What it takes to see, of each event, whether it may follow those before it."""

    def __init__(self) -> None:
        self.queued: set[UUID] = set()
        self.ended: set[UUID] = set()
        self._running: UUID | None = None
        self._attempts: dict[UUID, int] = {}
        self._turn_of: dict[int, UUID] = {}
        self._texts: defaultdict[int, str] = defaultdict(str)
        self._outputs: defaultdict[int, str] = defaultdict(str)
        self._items: dict[int, UUID] = {}
        self._calls: dict[int, UUID] = {}
        self._cancelled: set[UUID] = set()
        self._unheard = True
        self._in_step = False
        self._said: set[int] = set()
        self._runs: Counter[tuple[str, int]] = Counter()
        self._run_items: set[int] = set()
        self._waiting = Waiting()

    def hear(self, offset: int, fact: Fact) -> None:
        """The event is in the log."""
        turn_id = self._turn_of_the(fact)
        if turn_id is not None:
            assert turn_id not in self.ended, "nothing follows a turn's last event"
            assert turn_id in self.queued or isinstance(fact, events.TurnQueued)
        self._hear_of_items(offset, fact)
        self._hear_of_turns(fact)
        self._waiting.hear(fact)

    def executed(self, item: int, call_id: str, repeatable: bool, attempt: int) -> None:
        """A node has started the tool."""
        assert item in self._turn_of, "a tool runs only once its call is in the log"
        assert item not in self._items, "and whole"
        self._waiting.executed(item)
        self._run_items.add(item)
        self._runs[call_id, attempt if repeatable else 0] += 1
        assert self._runs[call_id, attempt if repeatable else 0] == 1

    def _hear_of_items(self, offset: int, fact: Fact) -> None:
        match fact:
            case events.ThinkingStarted() | events.MessageStarted() | events.ToolCallStarted():
                self._turn_of[offset] = self._items[offset] = fact.turn_id
                self._said.add(offset)
            case events.ToolCallOutputDelta():
                assert fact.item in self._calls
                self._outputs[fact.item] += fact.delta
            case events.ThinkingDelta() | events.MessageDelta() | events.ToolCallArgumentsDelta():
                assert fact.item in self._items
                self._texts[fact.item] += fact.delta
            case events.ThinkingCompleted() | events.MessageCompleted():
                assert self._items.pop(fact.item) == fact.turn_id
                assert fact.text == self._texts[fact.item]
            case events.ToolCallRequested():
                assert self._items.pop(fact.item) == fact.turn_id
                assert fact.arguments == self._texts[fact.item]
                self._calls[fact.item] = fact.turn_id
            case events.ToolCallCompleted():
                assert self._calls.pop(fact.item) == fact.turn_id
                assert fact.output == self._outputs[fact.item]
                self._unheard = True
            case events.AttemptSuperseded():
                assert all(item < fact.from_offset for item in self._run_items)
                assert all(item >= fact.from_offset for item in self._said)
                self._in_step, self._said = False, set()
            case _:
                pass

    def _hear_of_turns(self, fact: Fact) -> None:
        match fact:
            case events.TurnQueued():
                assert fact.turn_id not in self.queued
                self.queued.add(fact.turn_id)
            case events.TurnStarted():
                assert self._running is None, "one turn runs at a time"
                assert fact.turn_id not in self._cancelled, "what was cancelled never starts"
                self._running, self._attempts[fact.turn_id] = fact.turn_id, fact.attempt
                self._unheard, self._in_step, self._said = True, False, set()
            case events.TurnResumed():
                self._attempts[fact.turn_id] += 1
                assert fact.attempt == self._attempts[fact.turn_id]
            case events.TurnCancelRequested():
                self._cancelled.add(fact.turn_id)
            case events.TurnSteered():
                self._unheard = True
            case events.StepStarted():
                assert not self._calls, "a step follows all results"
                assert not self._said, "what a try has said is superseded before the next"
                self._unheard, self._in_step = False, True
            case events.StepCompleted():
                assert not self._items
                self._in_step, self._said = False, set()
            case events.TurnCompleted() | events.TurnFailed() | events.TurnCancelled():
                assert fact.turn_id not in {*self._items.values(), *self._calls.values()}
                if isinstance(fact, events.TurnCompleted):
                    assert not self._unheard, "the model has been told everything"
                    assert not self._in_step, "and has answered"
                self.ended.add(fact.turn_id)
                if self._running == fact.turn_id:
                    self._running = None
            case _:
                pass

    def _turn_of_the(self, fact: Fact) -> UUID | None:
        if isinstance(fact, events.Delta):
            return self._turn_of[fact.item]
        turn_id: UUID | None = getattr(fact, "turn_id", None)
        return turn_id
