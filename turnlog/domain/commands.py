"""What may be asked of a conversation. Time (`at`, µs since the epoch) and ids come along."""

from __future__ import annotations

from uuid import UUID

from msgspec import Struct

from turnlog.domain.events import Changes
from turnlog.domain.values import (
    BlobRef,
    Configuration,
    Consent,
    ContentPart,
    ItemKind,
    OnBusy,
    Overrides,
    RunsOn,
    StopReason,
    ToolCallStatus,
    TurnError,
    Usage,
    Verdict,
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
    """Nothing comes of it if the turn has ended, or was asked to already.

    One that waits, or rests, ends with it, and the turn behind it starts on the `node`.
    """

    turn_id: UUID
    by: str
    reason: str | None = None
    node: str = ""


class ResumeTurn(_Command, frozen=True, kw_only=True):
    """`node` takes the turn over from the owner of `attempt`."""

    turn_id: UUID
    attempt: int
    node: str


class CallResult(Struct, frozen=True, kw_only=True):
    """What came of a call that its caller has run."""

    call_id: str
    output: str
    status: ToolCallStatus = "ok"


class CallDecision(Struct, frozen=True, kw_only=True):
    """What a person says of a call; `arguments`, as JSON, replace the model's."""

    call_id: str
    verdict: Verdict
    reason: str | None = None
    arguments: str | None = None


class _Answer(_Command, frozen=True, kw_only=True):
    """An answer to what a turn wants. If it can go on with that, it does so on the `node`.

    If it must rest again, for something else, it rests until `expires_at` (µs).
    """

    turn_id: UUID
    node: str
    expires_at: int


class ProvideResults(_Answer, frozen=True, kw_only=True):
    """All of them, or none: refused if one of the calls does not wait for its result."""

    results: tuple[CallResult, ...]


class DecideCalls(_Answer, frozen=True, kw_only=True):
    """All of them, or none: refused if one of the calls does not wait for approval."""

    decisions: tuple[CallDecision, ...]
    by: str


class ExpireTurn(_Command, frozen=True, kw_only=True):
    """A turn has rested for too long; nothing comes of it where that is not so.

    The turn behind it starts on the `node`.
    """

    turn_id: UUID
    node: str


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
    """An item is whole; of a call: where it will run, and what that takes."""

    item: int
    provider_data: dict[str, object] | BlobRef | None = None
    runs_on: RunsOn = "server"
    approval: Consent = "none"
    repeatable: bool = False


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


class RestTurn(_Runner, frozen=True, kw_only=True):
    """Nothing runs here any more; nothing comes of it if something could.

    The turn rests until `expires_at` (µs) at most.
    """

    expires_at: int


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
    | RestTurn
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
    | ProvideResults
    | DecideCalls
    | ExpireTurn
    | RunnerCommand
)
