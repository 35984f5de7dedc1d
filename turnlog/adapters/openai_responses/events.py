"""The events of OpenAI's Responses API, as far as they matter here."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from turnlog.adapters.wire.payloads import Payloads
from turnlog.domain.values import Usage

TEXTS = {"response.output_text.delta": "output_text", "response.refusal.delta": "refusal"}
THOUGHTS = ("response.reasoning_summary_text.delta", "response.reasoning_text.delta")
_KNOWN = frozenset(
    {
        *TEXTS,
        *THOUGHTS,
        "response.created",
        "response.output_item.added",
        "response.function_call_arguments.delta",
        "response.output_item.done",
        "response.completed",
        "response.incomplete",
        "response.failed",
        "error",
    }
)


class InputDetails(Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class OutputDetails(Struct):
    reasoning_tokens: int | None = None


class Counted(Struct):
    input_tokens: int = 0
    output_tokens: int = 0
    input_tokens_details: InputDetails | None = None
    output_tokens_details: OutputDetails | None = None

    @property
    def usage(self) -> Usage:
        """The same in our words."""
        read = self.input_tokens_details or InputDetails()
        written = self.output_tokens_details or OutputDetails()
        return Usage(
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
            cached_input_tokens=read.cached_tokens or 0,
            cache_write_tokens=read.cache_write_tokens or 0,
            reasoning_tokens=written.reasoning_tokens or 0,
        )


class Fault(Struct):
    code: str | int | None = None
    type: str | None = None
    message: str | None = None


class Incomplete(Struct):
    reason: str | None = None


class Answer(Struct):
    id: str | None = None
    usage: Counted | None = None
    error: Fault | None = None
    incomplete_details: Incomplete | None = None


class Event(Struct):
    type: str
    output_index: int = 0
    content_index: int = 0
    summary_index: int = 0
    delta: str = ""
    item: dict[str, Any] | None = None
    response: Answer | None = None
    error: Fault | None = None
    code: str | int | None = None
    message: str | None = None


payloads = Payloads(Event, _KNOWN)
