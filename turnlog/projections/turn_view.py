"""What the API shows of a turn."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType

from turnlog.domain.values import ToolCallStatus, Usage, Wanted

TurnStatus = Literal["queued", "running", "requires_action", "completed", "failed", "cancelled"]
CallStatus = ToolCallStatus | Literal["running", "requires_action"]


class Answer(Struct, frozen=True, kw_only=True):
    """The text of the message that answers."""

    role: Literal["assistant"] = "assistant"
    content: str


class Thought(Struct, frozen=True, kw_only=True):
    """A finished thought; at `summary`, that there was one."""

    text: str | UnsetType = UNSET
    status: Literal["completed", "partial"] | UnsetType = UNSET


class Call(Struct, frozen=True, kw_only=True, rename="camel"):
    """A tool call; `input` and `output` at `full` only.

    `input` is the object that the arguments are, their text if they are none, and
    null while they are being written.
    """

    name: str
    call_id: str
    input: Any = UNSET
    output: str | UnsetType | None = UNSET
    status: CallStatus
    started_at: str
    completed_at: str | None


class RequiredCall(Struct, frozen=True, kw_only=True, rename="camel"):
    """A call that waits: for its `result`, from who runs `name` with `input`, or for `approval`."""

    item: int
    call_id: str
    kind: Wanted
    name: str
    input: Any


class RequiredAction(Struct, frozen=True, kw_only=True, rename="camel"):
    """What a turn rests for; it fails unless all of it is there before it `expires_at`."""

    calls: tuple[RequiredCall, ...]
    expires_at: str | None


class Failure(Struct, frozen=True):
    """Why a turn failed."""

    code: str
    message: str


class TurnView(Struct, frozen=True, kw_only=True, rename="camel"):
    """What the API shows of a turn.

    `started_at` of a turn that has not started: when it was accepted. Its model is
    null unless its message named one, for it is the conversation's as it then is.
    """

    turn_id: UUID
    conversation_id: UUID
    status: TurnStatus
    started_at: str
    completed_at: str | None
    result: Answer | None
    thinking: list[Thought]
    tool_calls: list[Call]
    usage: Usage
    error: Failure | None
    model_provider_id: str | None
    model_provider_api: str | None
    model: str | None
    attempt: int
    required_action: RequiredAction | None
