"""What passes between a turn and a model: a neutral prompt, and the parts of the answer."""

from __future__ import annotations

from msgspec import Struct

from turnlog.domain.tools import ToolSpec
from turnlog.domain.values import (
    BlobRef,
    ItemKind,
    Model,
    ProviderData,
    Reasoning,
    StopReason,
    Usage,
)


class Text(Struct, frozen=True):
    text: str


class Picture(Struct, frozen=True, kw_only=True):
    """An image by its bytes (with `media_type`) or by its `url`."""

    data: bytes | None = None
    media_type: str | None = None
    url: str | None = None


class UserSaid(Struct, frozen=True):
    content: tuple[Text | Picture, ...]


class AgentThought(Struct, frozen=True, kw_only=True):
    """A finished thought, with what the provider needs to know it again."""

    text: str
    provider_data: ProviderData


class AgentSaid(Struct, frozen=True, kw_only=True):
    text: str
    provider_data: ProviderData | None = None


class AgentCalled(Struct, frozen=True, kw_only=True):
    """A call; `arguments` is the text of a JSON object, always."""

    call_id: str
    name: str
    arguments: str
    provider_data: ProviderData | None = None


class ToolAnswered(Struct, frozen=True, kw_only=True):
    """The one result of a call; `failed` when it is no success."""

    call_id: str
    name: str
    output: str
    failed: bool
    provider_data: ProviderData | None = None


PromptItem = UserSaid | AgentThought | AgentSaid | AgentCalled | ToolAnswered


class ModelRequest(Struct, frozen=True, kw_only=True):
    """One step's request.

    `items` is a legal history: each call has its one result, all results of a
    step follow its last item, and provider data is of this very model.
    """

    model: Model
    items: tuple[PromptItem, ...]
    instructions: str | None = None
    tools: tuple[ToolSpec, ...] = ()
    reasoning: Reasoning | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None


class ItemStarted(Struct, frozen=True, kw_only=True):
    """An item begins. Within a step items are numbered 0, 1, 2 … in order of their start."""

    item: int
    kind: ItemKind
    name: str = ""


class ItemDelta(Struct, frozen=True):
    """More of an item's text, or of a call's arguments."""

    item: int
    text: str


class ItemCompleted(Struct, frozen=True, kw_only=True):
    """An item ends; `provider_data` is the content that the provider wants back, or its blob."""

    item: int
    provider_data: dict[str, object] | BlobRef | None = None


class UsageReported(Struct, frozen=True):
    """The tokens of this step so far, should it never finish."""

    usage: Usage


class StepFinished(Struct, frozen=True, kw_only=True):
    """The answer is whole; always the last part."""

    usage: Usage
    stop_reason: StopReason
    response_id: str | None = None


ModelPart = ItemStarted | ItemDelta | ItemCompleted | UsageReported | StepFinished
