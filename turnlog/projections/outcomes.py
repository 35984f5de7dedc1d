"""What a model is told of the end of each of its tool calls, whatever that end was."""

from __future__ import annotations

from typing import assert_never

import msgspec

from turnlog.domain.endings import NOBODY_KNOWS
from turnlog.domain.events import ToolCallCompleted, ToolCallRequested, TurnEnded
from turnlog.projections.transcript import Step, Turn

_CUT = "This call was cut off while its arguments were being written, so the tool did not run."
_MISSHAPEN = "The arguments of this call were not a JSON object, so they are shown as {} here."
_NEVER_RAN = "The tool did not run."
_OPEN = "The call has no result yet."
_SILENT = "(The tool gave no output.)"


def legal_arguments(call: ToolCallRequested) -> str | None:
    """The arguments as the text of a JSON object; None if they are no such thing."""
    if not call.arguments.strip():
        return None if call.partial else "{}"
    try:
        msgspec.json.decode(call.arguments, type=dict)
    except (msgspec.DecodeError, RecursionError):
        return None
    return call.arguments


def outcome(call: ToolCallRequested, step: Step, turn: Turn) -> tuple[str, bool]:
    """The result of a call in words, and whether it is a failure."""
    result = turn.results.get(call.item)
    legal = legal_arguments(call) is not None
    if call.partial or (not legal and step.stop_reason == "max_tokens"):
        return _CUT, True
    if not legal:
        output = _NEVER_RAN if result is None or not result.output.strip() else result.output
        return f"{_MISSHAPEN}\n{output}", True
    denial = turn.denials.get(call.item)
    if denial is not None:
        why = f": {denial.reason}" if denial.reason else "."
        return f"This call was denied, and the tool did not run{why}", True
    if result is None:
        return (_OPEN if turn.ended is None else _left_open(turn.ended)), True
    approval = turn.approvals.get(call.item)
    edited = "" if approval is None or approval.arguments is None else _edited(approval.arguments)
    return edited + _told(result), result.status != "ok"


def _edited(arguments: str) -> str:
    return f"(A person allowed this call with other arguments: {arguments})\n"


def _left_open(ended: TurnEnded) -> str:
    how = {"turn.failed": "failed", "turn.cancelled": "was cancelled"}
    ending = how.get(str(ended.__struct_config__.tag), "ended")
    return f"The call has no result: the turn {ending} before there was one."


def _told(result: ToolCallCompleted) -> str:
    output = result.output if result.output.strip() else ""
    match result.status:
        case "ok":
            return output or _SILENT
        case "error":
            return output or "The tool failed without a word."
        case "timeout":
            return _so_far("The tool ran out of time and was stopped.", output)
        case "cancelled":
            return _so_far("The call was cancelled before it had finished.", output)
        case "unknown" if output.endswith(NOBODY_KNOWS):
            return output
        case "unknown":
            said = "It is unknown whether the tool ran: the server was interrupted meanwhile."
            return _so_far(said, output)
        case _:
            assert_never(result.status)


def _so_far(said: str, output: str) -> str:
    return f"{said} Its output until then:\n{output}" if output else said
