"""Which calls a resting turn still waits for."""

from __future__ import annotations

from turnlog.domain.events import (
    AttemptSuperseded,
    Fact,
    StepStarted,
    ToolCallApproved,
    ToolCallCompleted,
    ToolCallDenied,
    TurnCancelled,
    TurnCompleted,
    TurnFailed,
    TurnRequiresAction,
    TurnResumed,
    WantedCall,
)


def still_wanted(wanted: tuple[WantedCall, ...], fact: Fact) -> tuple[WantedCall, ...]:
    """The calls that are wanted after one more event of the turn.

    A call is off the list when it has its answer, and all are when the turn goes on,
    or ends.
    """
    match fact:
        case TurnRequiresAction():
            return fact.calls
        case ToolCallApproved() | ToolCallDenied() | ToolCallCompleted():
            return tuple(call for call in wanted if call.item != fact.item)
        case AttemptSuperseded():
            return tuple(call for call in wanted if call.item < fact.from_offset)
        case StepStarted() | TurnResumed() | TurnCompleted() | TurnFailed() | TurnCancelled():
            return ()
        case _:
            return wanted
