"""One turn's status, folded from its events; and its row in the table of turns."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, assert_never
from uuid import UUID

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from turnlog.domain import events
from turnlog.domain.events import Fact, WantedCall
from turnlog.domain.records import TurnRow
from turnlog.domain.values import Usage, microseconds_of
from turnlog.projections.levels import STATUS_LEVELS, Level, Levels
from turnlog.projections.turn_view import (
    Answer,
    Call,
    Failure,
    RequiredAction,
    RequiredCall,
    Thought,
    TurnStatus,
    TurnView,
)
from turnlog.projections.waiting import still_wanted


def turn_status(
    conversation_id: UUID, facts: Iterable[tuple[int, Fact]], levels: Levels = STATUS_LEVELS
) -> TurnView:
    """The status of the turn whose events these are, `turn.queued` first.

    Texts are taken as they stand: those that were cut are to be made whole before.
    """
    turn = _Turn()
    for offset, fact in facts:
        turn.learn(offset, fact)
    return turn.view(conversation_id, levels)


def fold_row(row: TurnRow | None, conversation_id: UUID, offset: int, fact: Fact) -> TurnRow | None:
    """A turn's row after one more event of its conversation; the same one if it changes nothing."""
    if isinstance(fact, events.TurnQueued) and row is None:
        return TurnRow(
            turn_id=fact.turn_id,
            conversation_id=conversation_id,
            status="queued",
            first_offset=offset,
        )
    if row is None or getattr(fact, "turn_id", None) != row.turn_id:
        return row
    if isinstance(fact, events.TurnEnded):
        return replace(row, status=_ENDED[type(fact)], last_offset=offset, expires_at=None)
    match fact:
        case events.TurnRequiresAction():
            expires_at = None if fact.expires_at is None else microseconds_of(fact.expires_at)
            return replace(row, status="requires_action", node=None, expires_at=expires_at)
        case events.TurnStarted() | events.TurnResumed():
            return replace(
                row,
                status="running",
                attempt=fact.attempt,
                node=fact.node or None,
                expires_at=None,
            )
        case _:
            return row


_ENDED: dict[type[events.TurnEnded], TurnStatus] = {
    events.TurnCompleted: "completed",
    events.TurnFailed: "failed",
    events.TurnCancelled: "cancelled",
}


class _Turn:
    """What is known of a turn so far."""

    def __init__(self) -> None:
        self.queued: events.TurnQueued | None = None
        self.started: events.TurnStarted | None = None
        self.ended: events.TurnEnded | None = None
        self.attempt = 0
        self.usage = Usage()
        self.wanted: tuple[WantedCall, ...] = ()
        self.expires_at: str | None = None
        self.approvals: dict[int, events.ToolCallApproved] = {}
        self.thoughts: dict[int, events.ThinkingCompleted] = {}
        self.messages: dict[int, events.MessageCompleted] = {}
        self.calls: dict[int, events.ToolCallStarted] = {}
        self.requests: dict[int, events.ToolCallRequested] = {}
        self.results: dict[int, events.ToolCallCompleted] = {}

    def learn(self, offset: int, fact: Fact) -> None:
        self.wanted = still_wanted(self.wanted, fact)
        match fact:
            case events.TurnQueued():
                self.queued = fact
            case events.TurnStarted():
                self.started, self.attempt = fact, fact.attempt
            case events.TurnResumed():
                self.attempt = fact.attempt
            case events.StepCompleted():
                self.usage += fact.usage
            case events.ThinkingCompleted():
                self.thoughts[fact.item] = fact
            case events.MessageCompleted():
                self.messages[fact.item] = fact
            case events.ToolCallStarted():
                self.calls[offset] = fact
            case events.ToolCallRequested():
                self.requests[fact.item] = fact
            case events.ToolCallApproved():
                self.approvals[fact.item] = fact
            case events.ToolCallCompleted():
                self.results[fact.item] = fact
            case events.TurnRequiresAction():
                self.expires_at = fact.expires_at
            case events.AttemptSuperseded():
                for items in (self.thoughts, self.messages, self.calls):
                    for item in [item for item in items if item >= fact.from_offset]:
                        del items[item]
                self.usage += fact.usage or Usage()
            case events.TurnCompleted() | events.TurnFailed() | events.TurnCancelled():
                self.ended, self.usage = fact, fact.usage
            case (
                events.ThinkingDelta()
                | events.MessageDelta()
                | events.ToolCallArgumentsDelta()
                | events.ToolCallOutputDelta()
                | events.ConversationCreated()
                | events.ConversationUpdated()
                | events.ConversationDeleted()
                | events.TurnSteered()
                | events.StepStarted()
                | events.ThinkingStarted()
                | events.MessageStarted()
                | events.ToolCallDenied()
                | events.TurnRetrying()
                | events.TurnCancelRequested()
            ):
                pass
            case _:
                assert_never(fact)

    def view(self, conversation_id: UUID, levels: Levels) -> TurnView:
        assert self.queued is not None, "a turn begins with turn.queued"
        model = self.started or self.queued
        return TurnView(
            turn_id=self.queued.turn_id,
            conversation_id=conversation_id,
            status=self._status(),
            started_at=model.at,
            completed_at=self.ended.at if self.ended else None,
            result=self._result(),
            thinking=self._thinking(levels.thinking),
            tool_calls=self._tool_calls(levels.tools),
            usage=self.usage,
            error=self._error(),
            model_provider_id=model.model_provider_id,
            model_provider_api=model.model_provider_api,
            model=model.model,
            attempt=self.attempt,
            required_action=self._required_action(),
        )

    def _required_action(self) -> RequiredAction | None:
        """What it takes to answer is shown at every level."""
        if not self.wanted or self.ended is not None:
            return None
        calls = tuple(
            RequiredCall(
                item=call.item,
                call_id=call.call_id,
                kind=call.kind,
                name=self.calls[call.item].name,
                input=self._input(call.item),
            )
            for call in self.wanted
        )
        return RequiredAction(calls=calls, expires_at=self.expires_at)

    def _input(self, item: int) -> Any:
        """The arguments with which a call runs, or will run."""
        approval = self.approvals.get(item)
        if approval is not None and approval.arguments is not None:
            return _object(approval.arguments)
        request = self.requests.get(item)
        return None if request is None else _object(request.arguments)

    def _status(self) -> TurnStatus:
        if self.ended is not None:
            return _ENDED[type(self.ended)]
        if self.wanted:
            return "requires_action"
        return "queued" if self.started is None else "running"

    def _result(self) -> Answer | None:
        if not isinstance(self.ended, events.TurnCompleted) or self.ended.result is None:
            return None
        message = self.messages.get(self.ended.result.item)
        return None if message is None else Answer(content=message.text)

    def _error(self) -> Failure | None:
        if not isinstance(self.ended, events.TurnFailed):
            return None
        return Failure(self.ended.error.code, self.ended.error.message)

    def _thinking(self, level: Level) -> list[Thought]:
        match level:
            case "none":
                return []
            case "summary":
                return [
                    Thought(status="partial" if thought.partial else "completed")
                    for thought in self.thoughts.values()
                ]
            case "full":
                return [Thought(text=thought.text) for thought in self.thoughts.values()]
            case _:
                assert_never(level)

    def _tool_calls(self, level: Level) -> list[Call]:
        if level == "none":
            return []
        calls = [self._call(item, started) for item, started in self.calls.items()]
        if level == "summary":
            return [replace(call, input=UNSET, output=UNSET) for call in calls]
        return calls

    def _call(self, item: int, started: events.ToolCallStarted) -> Call:
        result = self.results.get(item)
        waits = any(call.item == item for call in self.wanted)
        return Call(
            name=started.name,
            call_id=started.call_id,
            input=self._input(item),
            output=None if result is None else result.output,
            status=result.status if result else "requires_action" if waits else "running",
            started_at=started.at,
            completed_at=result.at if result else None,
        )


def _object(arguments: str) -> Any:
    """The object that the arguments are, or else their text."""
    try:
        value = msgspec.json.decode(arguments)
    except (msgspec.DecodeError, RecursionError):
        return arguments
    return value if isinstance(value, dict) else arguments
