"""The facts of a conversation, in the order in which a turn tells them.

Every event but the deltas carries `at`, and within a turn `turn_id`. An item is
named by the offset of its `.started` event. `tag` is the topic: durable data.
"""

from __future__ import annotations

from uuid import UUID

from msgspec import UNSET, Struct, UnsetType

from turnlog.domain.values import (
    Configuration,
    Consent,
    ContentPart,
    OnBusy,
    Overrides,
    ProviderData,
    Reasoning,
    RunsOn,
    StopReason,
    ToolCallStatus,
    ToolChoice,
    TurnError,
    Usage,
    Wanted,
)


class ConversationCreated(Configuration, frozen=True, kw_only=True, tag="conversation.created"):
    """The first event of every log, with the whole configuration."""

    conversation_id: UUID
    at: str
    parent: UUID | UnsetType = UNSET
    forked_at: int | UnsetType = UNSET
    parent_hash: str | UnsetType = UNSET


class Changes(Struct, frozen=True, kw_only=True, rename="camel"):
    """New values of a configuration's members; those not named stay."""

    model_provider_id: str | UnsetType = UNSET
    model_provider_api: str | UnsetType = UNSET
    model: str | UnsetType = UNSET
    title: str | UnsetType | None = UNSET
    summary: str | UnsetType | None = UNSET
    agent_role: str | UnsetType | None = UNSET
    instructions: str | UnsetType | None = UNSET
    tags: tuple[str, ...] | UnsetType = UNSET
    metadata: dict[str, str] | UnsetType = UNSET
    reasoning: Reasoning | UnsetType | None = UNSET
    max_output_tokens: int | UnsetType | None = UNSET
    temperature: float | UnsetType | None = UNSET
    tools: tuple[ToolChoice, ...] | UnsetType | None = UNSET


class ConversationUpdated(Changes, frozen=True, kw_only=True, tag="conversation.updated"):
    """Only what changed."""

    at: str


class ConversationDeleted(Struct, frozen=True, kw_only=True, tag="conversation.deleted"):
    """Closed and hidden; `erased` says whether its content was destroyed."""

    at: str
    erased: bool


class TurnQueued(Overrides, frozen=True, kw_only=True, tag="turn.queued"):
    """A user message was accepted; every turn begins with this."""

    at: str
    turn_id: UUID
    content: tuple[ContentPart, ...]
    on_busy: OnBusy


class _InTurn(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    at: str
    turn_id: UUID


class TurnStarted(_InTurn, frozen=True, kw_only=True, tag="turn.started"):
    model_provider_id: str
    model_provider_api: str
    model: str
    attempt: int
    node: str = ""


class TurnSteered(_InTurn, frozen=True, kw_only=True, tag="turn.steered"):
    """A message for the running turn, which sees it at its next step."""

    content: tuple[ContentPart, ...]


class StepStarted(_InTurn, frozen=True, kw_only=True, tag="step.started"):
    """One request to a model begins; `step` counts from 1 within the turn."""

    step: int
    model: str


class StepCompleted(_InTurn, frozen=True, kw_only=True, tag="step.completed"):
    step: int
    usage: Usage
    stop_reason: StopReason
    duration_ms: int
    provider_response_id: str | None = None


class ThinkingStarted(_InTurn, frozen=True, kw_only=True, tag="thinking.started"):
    step: int


class MessageStarted(_InTurn, frozen=True, kw_only=True, tag="message.started"):
    step: int


class ToolCallStarted(_InTurn, frozen=True, kw_only=True, tag="tool_call.started"):
    """The model begins to write a call; `call_id` is ours, unique in the conversation."""

    step: int
    call_id: str
    name: str


class _Delta(Struct, frozen=True):
    item: int
    delta: str


class ThinkingDelta(_Delta, frozen=True, tag="thinking.delta"):
    """More of a thought."""


class MessageDelta(_Delta, frozen=True, tag="message.delta"):
    """More of an answer."""


class ToolCallArgumentsDelta(_Delta, frozen=True, tag="tool_call.arguments_delta"):
    """More of a call's arguments, as JSON text."""


class ToolCallOutputDelta(_Delta, frozen=True, tag="tool_call.output_delta"):
    """More of what a running tool says."""


class _Ending(_InTurn, frozen=True, kw_only=True):
    """The end of an item's text, which equals its deltas unless it was too long for one event.

    `partial`: it was cut off. `truncated`: the text here is the beginning of one
    of `bytes` bytes of UTF-8, which is whole in its deltas.
    """

    item: int
    partial: bool = False
    truncated: bool = False
    bytes: int | None = None
    provider_data: ProviderData | None = None


class ThinkingCompleted(_Ending, frozen=True, kw_only=True, tag="thinking.completed"):
    text: str


class MessageCompleted(_Ending, frozen=True, kw_only=True, tag="message.completed"):
    text: str


class ToolCallRequested(_Ending, frozen=True, kw_only=True, tag="tool_call.requested"):
    """The model has written the whole call (or, `partial`, was cut off while writing it).

    `repeatable`: should it never be known how the call ended, it may safely be run again.
    """

    call_id: str
    name: str
    arguments: str
    runs_on: RunsOn
    approval: Consent
    repeatable: bool = False


class ToolCallApproved(_InTurn, frozen=True, kw_only=True, tag="tool_call.approved"):
    """A person allows the call; `for_turn`: this tool's other calls in the turn, too.

    `arguments` are those with which it is to run, where they are not the model's.
    """

    item: int
    call_id: str
    by: str
    reason: str | None = None
    for_turn: bool = False
    arguments: str | None = None


class ToolCallDenied(_InTurn, frozen=True, kw_only=True, tag="tool_call.denied"):
    """A person does not allow the call, which ends with that."""

    item: int
    call_id: str
    by: str
    reason: str | None = None


class ToolCallCompleted(_InTurn, frozen=True, kw_only=True, tag="tool_call.completed"):
    item: int
    call_id: str
    status: ToolCallStatus
    output: str
    duration_ms: int
    truncated: bool = False
    bytes: int | None = None


class WantedCall(Struct, frozen=True, kw_only=True, rename="camel"):
    """A call that waits for its caller's result, or for a person's approval."""

    item: int
    call_id: str
    kind: Wanted


class TurnRequiresAction(_InTurn, frozen=True, kw_only=True, tag="turn.requires_action"):
    """Nothing runs any more; the turn rests until these are answered, or it `expires_at`."""

    calls: tuple[WantedCall, ...]
    expires_at: str | None = None


class TurnRetrying(_InTurn, frozen=True, kw_only=True, tag="turn.retrying"):
    reason: str
    delay_ms: int
    retry: int


class AttemptSuperseded(_InTurn, frozen=True, kw_only=True, tag="attempt.superseded"):
    """That turn's items started at `from_offset` or later no longer count; they cost `usage`."""

    from_offset: int
    usage: Usage | None = None


class TurnResumed(_InTurn, frozen=True, kw_only=True, tag="turn.resumed"):
    """Another attempt owns the turn now; the one before can append nothing more.

    So a turn goes on after its node was lost, and after it has rested.
    """

    attempt: int
    node: str


class TurnCancelRequested(_InTurn, frozen=True, kw_only=True, tag="turn.cancel_requested"):
    by: str
    reason: str | None = None


class Result(Struct, frozen=True):
    """The message that answers."""

    item: int


class TurnCompleted(_InTurn, frozen=True, kw_only=True, omit_defaults=False, tag="turn.completed"):
    result: Result | None
    usage: Usage


class TurnFailed(_InTurn, frozen=True, kw_only=True, tag="turn.failed"):
    error: TurnError
    usage: Usage


class TurnCancelled(_InTurn, frozen=True, kw_only=True, omit_defaults=False, tag="turn.cancelled"):
    by: str
    reason: str | None
    usage: Usage


Delta = ThinkingDelta | MessageDelta | ToolCallArgumentsDelta | ToolCallOutputDelta
Started = ThinkingStarted | MessageStarted | ToolCallStarted
TurnEnded = TurnCompleted | TurnFailed | TurnCancelled
Fact = (
    ConversationCreated
    | ConversationUpdated
    | ConversationDeleted
    | TurnQueued
    | TurnStarted
    | TurnSteered
    | StepStarted
    | StepCompleted
    | Started
    | Delta
    | ThinkingCompleted
    | MessageCompleted
    | ToolCallRequested
    | ToolCallApproved
    | ToolCallDenied
    | ToolCallCompleted
    | TurnRequiresAction
    | TurnRetrying
    | AttemptSuperseded
    | TurnResumed
    | TurnCancelRequested
    | TurnEnded
)
