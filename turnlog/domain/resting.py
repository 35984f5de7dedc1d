"""A turn that rests: what its calls want of others, and how it goes on with their answers.

Nobody owns it meanwhile. The answer after which it can go on makes the node that
was given it the owner, in the same append; so of two nodes one loses, and decides anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from uuid import UUID

from turnlog.domain import commands, events
from turnlog.domain.codec import pieces
from turnlog.domain.commands import CallDecision, CallResult
from turnlog.domain.conversation import Conversation
from turnlog.domain.endings import result
from turnlog.domain.errors import CallNotOpen
from turnlog.domain.events import Fact
from turnlog.domain.running import failed, rests
from turnlog.domain.turn import RunningTurn, after
from turnlog.domain.values import TurnError, Wanted, microseconds_of


def provide(command: commands.ProvideResults, state: Conversation, at: str) -> list[Fact]:
    """The results of calls that their caller has run."""
    before = turn = _asked(state, command.turn_id, command.results, "result")
    facts: list[Fact] = []
    for given in command.results:
        item = _waiting(turn, given.call_id, "result", before)
        facts += _result(turn, item, given, at)
        turn = after(before, facts)
    return [*facts, *_goes_on(before, turn, command, at)]


def decide_calls(command: commands.DecideCalls, state: Conversation, at: str) -> list[Fact]:
    """What a person says of calls: they run as they are, or with other arguments, or not at all.

    To allow a tool for the turn allows its calls that wait as well.
    """
    before = turn = _asked(state, command.turn_id, command.decisions, "approval")
    facts: list[Fact] = []
    for decision in command.decisions:
        item = _waiting(turn, decision.call_id, "approval", before)
        facts += _decided(turn, item, decision, command.by, at)
        turn = after(before, facts)
    facts += _allowed_with_them(turn, command, at)
    return [*facts, *_goes_on(before, after(before, facts), command, at)]


def expire(command: commands.ExpireTurn, state: Conversation, at: str) -> list[Fact]:
    """The end of a turn that has rested for too long."""
    turn = state.running
    if turn is None or turn.turn_id != command.turn_id or not turn.resting:
        return []
    if turn.expires_at is None or at < turn.expires_at:
        return []
    return failed(state, turn, at, _EXPIRED, turn.usage, command.node)


_EXPIRED = TurnError(
    code="action_expired",
    message="Nobody gave the results or approvals that this turn was waiting for in time.",
    retryable=False,
)


def _asked(
    state: Conversation,
    turn_id: UUID,
    answers: Sequence[CallResult | CallDecision],
    wanted: Wanted,
) -> RunningTurn:
    turn = state.running
    if turn is None or turn.turn_id != turn_id or turn.cancel is not None:
        raise CallNotOpen(call=answers[0].call_id, wanted=wanted, waiting="none")
    return turn


def _waiting(turn: RunningTurn, call_id: str, wanted: Wanted, before: RunningTurn) -> int:
    """The item of the call; a refusal tells what waited `before`, for nothing of it is kept."""
    for item, call in turn.calls.items():
        if call.call_id == call_id and call.wants == wanted:
            return item
    waiting = [call.call_id for call in before.wanted if call.kind == wanted]
    raise CallNotOpen(call=call_id, wanted=wanted, waiting=", ".join(waiting) or "none")


def _result(turn: RunningTurn, item: int, given: CallResult, at: str) -> Iterator[Fact]:
    said = [events.ToolCallOutputDelta(item=item, delta=text) for text in pieces(given.output)]
    yield from said
    asked_at = microseconds_of(turn.calls[item].asked_at)
    duration_ms = (microseconds_of(at) - asked_at) // 1000
    yield result(after(turn, said), item, at, given.status, duration_ms)


def _decided(
    turn: RunningTurn, item: int, decision: CallDecision, by: str, at: str
) -> Iterator[Fact]:
    if decision.verdict == "deny":
        yield events.ToolCallDenied(
            at=at,
            turn_id=turn.turn_id,
            item=item,
            call_id=decision.call_id,
            by=by,
            reason=decision.reason,
        )
        yield result(turn, item, at, "cancelled")
        return
    yield events.ToolCallApproved(
        at=at,
        turn_id=turn.turn_id,
        item=item,
        call_id=decision.call_id,
        by=by,
        reason=decision.reason,
        for_turn=decision.verdict == "allowForTurn",
        arguments=decision.arguments,
    )


def _allowed_with_them(
    turn: RunningTurn, command: commands.DecideCalls, at: str
) -> Iterator[events.ToolCallApproved]:
    """What else waits of the tools that were allowed for the whole turn."""
    for item, call in turn.calls.items():
        if call.wants == "approval" and call.name in turn.allowed:
            yield events.ToolCallApproved(
                at=at,
                turn_id=turn.turn_id,
                item=item,
                call_id=call.call_id,
                by=command.by,
                for_turn=True,
            )


def _goes_on(
    before: RunningTurn,
    turn: RunningTurn,
    command: commands.ProvideResults | commands.DecideCalls,
    at: str,
) -> list[Fact]:
    """What follows the answers: the turn goes on, or rests for what else is wanted.

    One that does not rest has an owner, who sees to it.
    """
    if not before.resting:
        return []
    wanted = turn.wanted
    if len(wanted) < len(turn.calls) or not wanted:
        return [
            events.TurnResumed(
                at=at, turn_id=turn.turn_id, attempt=turn.attempt + 1, node=command.node
            )
        ]
    if set(wanted) <= set(before.wanted):
        return []
    return [rests(turn, at, command.expires_at)]
