"""What may stand in the bodies of requests: shapes and bounds. Unknown members are refused."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from turnlog.domain.codec import escape_line_ends
from turnlog.domain.errors import InvalidInput
from turnlog.domain.events import Changes
from turnlog.domain.values import (
    BuiltinTool,
    Configuration,
    FunctionTool,
    McpTool,
    OnBusy,
    Overrides,
    Reasoning,
    Verdict,
)
from turnlog.http.validation import MemberProblem, invalid

MAX_CONFIGURATION_BYTES = 128 * 1024
MAX_OVERRIDES_BYTES = 48 * 1024
MAX_ARGUMENTS_BYTES = 192 * 1024

S = TypeVar("S", bound=Struct)

Name = Annotated[str, Meta(min_length=1, max_length=256)]
# What every provider takes.
FunctionName = Annotated[str, Meta(pattern=r"^[a-zA-Z0-9_-]+$(?!\n)", max_length=64)]
Word = Annotated[str, Meta(max_length=256)]
Tags = Annotated[tuple[Word, ...], Meta(max_length=64)]
Metadata = Annotated[
    dict[Word, Annotated[str, Meta(max_length=4096)]],
    Meta(max_length=64),
]
Tokens = Annotated[int, Meta(ge=1, le=1_000_000_000)]
Temperature = Annotated[float, Meta(ge=0, le=2)]


class ReasoningChoice(Reasoning, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How hard the model is to think."""

    effort: Name | None = None
    budget_tokens: Tokens | None = None


class BuiltinChoice(BuiltinTool, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tool of the server's own, in the long form."""

    name: Name


class FunctionChoice(FunctionTool, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A function that the caller runs; `parameters` is the JSON Schema of its arguments."""

    name: FunctionName


class McpChoice(McpTool, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All tools of a server that the operator configured."""

    server: Name


Tools = Annotated[
    tuple[Name | BuiltinChoice | FunctionChoice | McpChoice, ...], Meta(max_length=128)
]


class CreateConversation(Configuration, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new conversation."""

    model_provider_id: Name
    model_provider_api: Name
    model: Name
    agent_role: Word | None = None
    tags: Tags = ()
    metadata: Metadata = msgspec.field(default_factory=dict)
    reasoning: ReasoningChoice | None = None
    max_output_tokens: Tokens | None = None
    temperature: Temperature | None = None
    tools: Tools | None = None


class UpdateConversation(Changes, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """New values of members; those not named stay. The three of the model go together."""

    model_provider_id: Name | UnsetType = UNSET
    model_provider_api: Name | UnsetType = UNSET
    model: Name | UnsetType = UNSET
    agent_role: Word | UnsetType | None = UNSET
    tags: Tags | UnsetType = UNSET
    metadata: Metadata | UnsetType = UNSET
    reasoning: ReasoningChoice | UnsetType | None = UNSET
    max_output_tokens: Tokens | UnsetType | None = UNSET
    temperature: Temperature | UnsetType | None = UNSET
    tools: Tools | UnsetType | None = UNSET


class SaidText(Struct, frozen=True, kw_only=True, tag="text", forbid_unknown_fields=True):
    """Text."""

    text: str


class SaidImage(
    Struct, frozen=True, kw_only=True, tag="image", rename="camel", forbid_unknown_fields=True
):
    """An image: either `data` in base64, with its `mediaType`, or a `url`."""

    media_type: Literal["image/png", "image/jpeg", "image/gif", "image/webp"] | None = None
    data: str | None = None
    url: Annotated[str, Meta(max_length=4096)] | None = None


Content = Annotated[tuple[SaidText | SaidImage, ...], Meta(max_length=256)]


class SubmitMessage(Overrides, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A user message: either `message` or `content`, and what its turn does differently."""

    message: str | None = None
    content: Content | None = None
    on_busy: OnBusy = "enqueue"
    model_provider_id: Name | None = None
    model_provider_api: Name | None = None
    model: Name | None = None
    reasoning: ReasoningChoice | None = None
    max_output_tokens: Tokens | None = None
    temperature: Temperature | None = None
    tools: Tools | None = None


class CancelTurn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A turn is to stop."""

    reason: Annotated[str, Meta(max_length=1024)] | None = None


class GivenResult(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What came of one call; `error`: the output says why it failed."""

    call_id: Name
    output: str
    status: Literal["ok", "error"] = "ok"


class ToolResults(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Results of calls that the caller has run."""

    results: Annotated[tuple[GivenResult, ...], Meta(min_length=1, max_length=256)]


class Decision(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What a person says of one call; `arguments` are to be taken instead of the model's."""

    call_id: Name
    decision: Verdict
    reason: Annotated[str, Meta(max_length=1024)] | None = None
    arguments: dict[str, Any] | None = None


class Approvals(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Decisions about calls; `by` says who has decided, as far as the caller knows."""

    decisions: Annotated[tuple[Decision, ...], Meta(min_length=1, max_length=256)]
    by: Name = "client"


def as_part_of(kind: type[S], request: Struct) -> S:
    """Those members of a request that make up the kind."""
    return kind(**{name: getattr(request, name) for name in kind.__struct_fields__})


def stored_bytes(value: Any) -> int:
    """How long the value is as JSON, in the form in which it is stored."""
    return len(escape_line_ends(msgspec.json.encode(value)))


def stored_arguments(member: str, arguments: dict[str, Any]) -> str:
    """Arguments as the text that the log keeps; raises `InvalidInput` if it is too long.

    Their event has to hold it as one JSON string, in which each quote is escaped once more.
    """
    text = msgspec.json.encode(arguments).decode()
    size = stored_bytes(text)
    if size > MAX_ARGUMENTS_BYTES:
        problem = f"takes {size} bytes as a JSON string; the limit is {MAX_ARGUMENTS_BYTES}"
        raise invalid([MemberProblem(member, problem)])
    return text


def check_size(settings: Struct, limit: int = MAX_CONFIGURATION_BYTES) -> None:
    """Raises `InvalidInput` for settings that would not fit into an event."""
    size = stored_bytes(settings)
    if size > limit:
        raise InvalidInput(
            message=f"The settings take {size} bytes as JSON; the limit is {limit} "
            f"({limit // 1024} KiB) in all."
        )
