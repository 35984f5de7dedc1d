"""The values that commands and events are made of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Literal

from msgspec import Struct

ToolCallStatus = Literal["ok", "error", "timeout", "cancelled", "unknown"]
StopReason = Literal[
    "end_turn", "tool_use", "max_tokens", "stop_sequence", "refusal", "pause_turn", "unknown"
]
OnBusy = Literal["enqueue", "reject", "interrupt", "steer"]
ItemKind = Literal["thinking", "message", "tool_call"]
Approval = Literal["never", "always"]
Consent = Literal["none", "required"]
RunsOn = Literal["server", "client"]
Wanted = Literal["result", "approval"]
Verdict = Literal["allow", "allowForTurn", "deny"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@lru_cache(maxsize=64)  # of one command it is asked several times
def timestamp(at: int) -> str:
    """Microseconds since the epoch as RFC 3339 UTC, always with six decimals."""
    seconds, microseconds = divmod(at, 1_000_000)
    return f"{_second(seconds)}.{microseconds:06d}Z"


def microseconds_of(timestamp: str) -> int:
    """The inverse of `timestamp`."""
    return (datetime.fromisoformat(timestamp) - _EPOCH) // _MICROSECOND


@lru_cache(maxsize=64)
def _second(seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")


class TextPart(Struct, frozen=True, kw_only=True, tag="text", rename="camel", omit_defaults=True):
    """Text; a long one is kept beside the log under its SHA-256 (`blob`), and `text` is None."""

    text: str | None = None
    blob: str | None = None
    media_type: str | None = None
    bytes: int | None = None


class ImagePart(Struct, frozen=True, kw_only=True, tag="image", rename="camel", omit_defaults=True):
    """An image kept beside the log under its SHA-256 (`blob`), or at a `url`."""

    blob: str | None = None
    media_type: str | None = None
    bytes: int | None = None
    url: str | None = None


ContentPart = TextPart | ImagePart


class Reasoning(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """How hard the model thinks: a word of the provider's, or a budget in tokens."""

    effort: str | None = None
    budget_tokens: int | None = None


class BuiltinTool(Struct, frozen=True, kw_only=True, tag="builtin", rename="camel"):
    """A tool of the server's own; the bare name is the short form."""

    name: str
    approval: Approval = "never"


class FunctionTool(Struct, frozen=True, kw_only=True, tag="function", rename="camel"):
    """A function that the caller runs."""

    name: str
    description: str = ""
    parameters: dict[str, Any] = {}
    approval: Approval = "never"


class McpTool(Struct, frozen=True, kw_only=True, tag="mcp", rename="camel"):
    """All tools of an MCP server that the operator configured."""

    server: str
    approval: Approval = "never"


ToolChoice = str | BuiltinTool | FunctionTool | McpTool


class Model(Struct, frozen=True, kw_only=True, rename="camel"):
    """Who answers: the three members that go together or not at all."""

    model_provider_id: str
    model_provider_api: str
    model: str


class Overrides(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What one turn does differently from its conversation; None: as the conversation."""

    model_provider_id: str | None = None
    model_provider_api: str | None = None
    model: str | None = None
    reasoning: Reasoning | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    tools: tuple[ToolChoice, ...] | None = None


class Configuration(Struct, frozen=True, kw_only=True, rename="camel"):
    """What a conversation is set to."""

    model_provider_id: str
    model_provider_api: str
    model: str
    title: str | None = None
    summary: str | None = None
    agent_role: str | None = None
    instructions: str | None = None
    tags: tuple[str, ...] = ()
    metadata: dict[str, str] = {}
    reasoning: Reasoning | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    tools: tuple[ToolChoice, ...] | None = None


class Usage(Struct, frozen=True, kw_only=True, rename="camel"):
    """Tokens; `input_tokens` counts all that the model read, cached or not."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    estimated: bool = False

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cached_input_tokens=self.cached_input_tokens + other.cached_input_tokens,
            cache_write_tokens=self.cache_write_tokens + other.cache_write_tokens,
            reasoning_tokens=self.reasoning_tokens + other.reasoning_tokens,
            estimated=self.estimated or other.estimated,
        )


class BlobRef(Struct, frozen=True, kw_only=True):
    """What is kept beside the log under its SHA-256."""

    blob: str
    bytes: int


class ProviderData(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What a provider gave with an item, to be given back unchanged, to the same model only.

    A `content` too long for an event is kept beside the log, as JSON (`blob`).
    """

    model_provider_id: str
    model_provider_api: str
    model: str
    content: dict[str, Any] = {}
    blob: str | None = None
    bytes: int | None = None


class TurnError(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Why a turn failed, for the client."""

    code: str
    message: str
    retryable: bool
    provider: str | None = None
