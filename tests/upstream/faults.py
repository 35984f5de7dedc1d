"""What can go wrong with a reply, in words that fit all three wires.

`after` counts deltas: the fault strikes when that many pieces of text, thought
or arguments have been sent, and before the reply's closing events.
"""

from __future__ import annotations

from typing import Literal

import msgspec


class Fail(msgspec.Struct, frozen=True):
    """Answer with an HTTP error; what is not given is worded as the provider words it."""

    status: int
    code: str | None = None  # "context_length_exceeded", "insufficient_quota", ...
    message: str | None = None
    param: str | None = None
    retry_after: float | None = None  # seconds
    headers: dict[str, str] = {}


class NeverAnswer(msgspec.Struct, frozen=True):
    """Take the request and send nothing, not even the headers."""


class ErrorEvent(msgspec.Struct, frozen=True):
    """Send the wire's error event in the stream, then end the response."""

    after: int = 0
    code: str | None = None
    message: str | None = None
    nested: bool = False  # Responses only: `{"type": "error", "error": {...}}`, also seen


class Failed(msgspec.Struct, frozen=True):
    """End with `response.failed`; on the other wires the same as `ErrorEvent`."""

    after: int = 0
    code: str | None = None
    message: str | None = None


class Cut(msgspec.Struct, frozen=True):
    """Drop the connection in the middle of the body.

    `end` instead ends the body properly, before the reply has ended.
    """

    after: int = 0
    how: Literal["close", "reset", "end"] = "close"


class Silence(msgspec.Struct, frozen=True):
    """Send nothing more, and keep the connection open."""

    after: int = 0


class PingsOnly(msgspec.Struct, frozen=True):
    """Send only the wire's keep-alives from here on, one each `every` seconds."""

    after: int = 0
    every: float = 0.005


Interruption = ErrorEvent | Failed | Cut | Silence | PingsOnly
Fault = Fail | NeverAnswer | Interruption
