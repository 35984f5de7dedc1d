"""What may be asked of a conversation. Time (`at`, µs since the epoch) and ids come along."""

from __future__ import annotations

from uuid import UUID

from msgspec import Struct

from turnlog.domain.events import Changes
from turnlog.domain.values import (
    BlobRef,
    Configuration,
    ContentPart,
    ItemKind,
    OnBusy,
    Overrides,
    StopReason,
    ToolCallStatus,
    TurnError,
    Usage,
)


class _Command(Struct, frozen=True, kw_only=True):
    at: int


class CreateConversation(_Command, frozen=True, kw_only=True):
    conversation_id: UUID
    configuration: Configuration


class UpdateConversation(_Command, frozen=True, kw_only=True):
    """`if_match`: refuse if something but the running turn's own steps came after that offset."""

    changes: Changes
    if_match: int | None = None


class DeleteConversation(_Command, frozen=True, kw_only=True):
    by: str


class SubmitMessage(_Command, frozen=True, kw_only=True):
    """`turn_id` is the turn's, if it makes one; `node` runs it if it starts now."""

    turn_id: UUID
    content: tuple[ContentPart, ...]
    on_busy: OnBusy = "enqueue"
    overrides: Overrides = Overrides()
    if_match: int | None = None
    by: str = "client"
    node: str = ""


class CancelTurn(_Command, frozen=True, kw_only=True):
    """Nothing comes of it if the turn has ended, or was asked to already."""

    turn_id: UUID
    by: str
    reason: str | None = None


class ResumeTurn(_Command, frozen=True, kw_only=True):
    """`node` takes the turn over from the owner of `attempt`.

    `repeatable` names the tools whose calls may safely be run again.
    """

    turn_id: UUID
    attempt: int
    node: str
    repeatable: frozenset[str] = frozenset()


class _Runner(_Command, frozen=True, kw_only=True):
    """A command of a turn's runner, refused once the attempt is no longer the owner."""

    turn_id: UUID
    attempt: int


class StartStep(_Runner, frozen=True, kw_only=True):
    """Another request to the model."""


class StartItem(_Runner, frozen=True, kw_only=True):
    """The step's next item; within the step, items are numbered 0, 1, 2 …"""

    item: int
    kind: ItemKind
    name: str = ""


class AppendText(_Runner, frozen=True, kw_only=True):
    item: int
    text: str


class CompleteItem(_Runner, frozen=True, kw_only=True):
    item: int
    provider_data: dict[str, object] | BlobRef | None = None


class CompleteStep(_Runner, frozen=True, kw_only=True):
    usage: Usage
    stop_reason: StopReason
    duration_ms: int
    response_id: str | None = None


class AppendOutput(_Runner, frozen=True, kw_only=True):
    call_id: str
    text: str


class CompleteToolCall(_Runner, frozen=True, kw_only=True):
    call_id: str
    status: ToolCallStatus
    duration_ms: int


class RetryStep(_Runner, frozen=True, kw_only=True):
    """The step failed, having cost `usage`, and will be tried again after the delay."""

    reason: str
    delay_ms: int
    retry: int
    usage: Usage | None = None


class CompleteTurn(_Runner, frozen=True, kw_only=True):
    """The model has nothing more to say; nothing comes of it if there is more to tell it."""


class AcknowledgeCancel(_Runner, frozen=True, kw_only=True):
    """All has been stopped as was asked; `usage` is what the unfinished step cost."""

    usage: Usage = Usage()


class FailTurn(_Runner, frozen=True, kw_only=True):
    """`usage` is what the unfinished step cost."""

    error: TurnError
    usage: Usage = Usage()


RunnerCommand = (
    StartStep
    | StartItem
    | AppendText
    | CompleteItem
    | CompleteStep
    | AppendOutput
    | CompleteToolCall
    | RetryStep
    | CompleteTurn
    | AcknowledgeCancel
    | FailTurn
)
Command = (
    CreateConversation
    | UpdateConversation
    | DeleteConversation
    | SubmitMessage
    | CancelTurn
    | ResumeTurn
    | RunnerCommand
)
