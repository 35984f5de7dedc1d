"""The chunks of a chat completion's stream, in all the shapes that servers give them."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from turnlog.adapters.wire.payloads import Payloads
from turnlog.domain.values import Usage


class PromptDetails(Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class CompletionDetails(Struct):
    reasoning_tokens: int | None = None


class Counted(Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: PromptDetails | None = None
    completion_tokens_details: CompletionDetails | None = None

    @property
    def usage(self) -> Usage:
        """The same in our words."""
        read = self.prompt_tokens_details or PromptDetails()
        written = self.completion_tokens_details or CompletionDetails()
        return Usage(
            input_tokens=self.prompt_tokens or 0,
            output_tokens=self.completion_tokens or 0,
            cached_input_tokens=read.cached_tokens or 0,
            cache_write_tokens=read.cache_write_tokens or 0,
            reasoning_tokens=written.reasoning_tokens or 0,
        )


class Function(Struct):
    """`arguments` is text, but from some servers an object."""

    name: str | None = None
    arguments: Any = None

    @property
    def text(self) -> str:
        """The arguments as text."""
        if isinstance(self.arguments, dict):
            return msgspec.json.encode(self.arguments).decode()
        return self.arguments if isinstance(self.arguments, str) else ""


class Call(Struct):
    """A piece of a call; `extra_content` is what Gemini wants back."""

    index: int | None = None
    id: str | None = None
    function: Function | None = None
    extra_content: dict[str, Any] | None = None


class Delta(Struct):
    content: Any = None
    refusal: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    reasoning_details: list[dict[str, Any]] | None = None
    tool_calls: list[Call] | None = None

    @property
    def text(self) -> str:
        """The content's text, which some servers give in parts."""
        if isinstance(self.content, list):
            parts = [part for part in self.content if isinstance(part, dict)]
            return "".join(str(part.get("text") or "") for part in parts)
        return self.content if isinstance(self.content, str) else ""


class Fault(Struct):
    code: Any = None
    type: str | None = None
    message: str | None = None


class Choice(Struct):
    delta: Delta | None = None
    finish_reason: str | None = None
    error: Fault | None = None


class Chunk(Struct):
    id: str | None = None
    choices: list[Choice] | None = None
    usage: Counted | None = None
    error: Fault | str | None = None


payloads = Payloads(Chunk)
