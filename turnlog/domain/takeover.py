"""Taking a turn over from a node that is lost: its history is made whole, and goes on."""

from __future__ import annotations

from turnlog.domain import commands, events
from turnlog.domain.conversation import Conversation
from turnlog.domain.endings import unknown
from turnlog.domain.errors import TurnSuperseded
from turnlog.domain.events import Fact
from turnlog.domain.running import cancelled, failed, superseded
from turnlog.domain.turn import RunningTurn
from turnlog.domain.values import TurnError, Usage

MAX_FRUITLESS = 5


def resume(command: commands.ResumeTurn, state: Conversation, at: str) -> list[Fact]:
    """Make the node the owner of the turn. Whoever owned it can append nothing more.

    The unfinished step is void, and will be asked again. A call that had begun is
    left to be run again where that is safe; else its result is `unknown`. One that was
    cut off, or waits for somebody, cannot have begun. A turn that rests is nobody's, and
    goes on with an answer, not so.
    """
    turn = state.running
    if turn is None or (turn.turn_id, turn.attempt) != (command.turn_id, command.attempt):
        raise TurnSuperseded()
    if turn.resting:
        raise TurnSuperseded()
    if turn.cancel is not None:
        return cancelled(state, turn, at, Usage(), command.node)
    if turn.fruitless >= MAX_FRUITLESS:
        return failed(state, turn, at, _GIVEN_UP, turn.usage, command.node)
    void = superseded(turn, at) if turn.in_step else _unknown_calls(turn, at)
    resumed = events.TurnResumed(
        at=at, turn_id=turn.turn_id, attempt=turn.attempt + 1, node=command.node
    )
    return [*void, resumed]


_GIVEN_UP = TurnError(
    code="too_many_attempts",
    message=f"The turn was taken over {MAX_FRUITLESS} times in a row without getting any further.",
    retryable=True,
)


def _unknown_calls(turn: RunningTurn, at: str) -> list[Fact]:
    """Results for the calls that must not be run again, or have spoken already."""
    return [
        fact
        for offset, call in turn.calls.items()
        if call.wants is None and (call.output or not (call.partial or call.repeatable))
        for fact in unknown(turn, offset, at)
    ]
