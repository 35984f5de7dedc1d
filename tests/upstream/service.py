"""What the three wires share: their interface, their frames, and what they remember."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from typing import Any, Literal, Protocol

import msgspec

from tests.upstream.faults import ErrorEvent, Fail, Failed
from tests.upstream.script import Json, ParsedRequest, Reply


class Illegal(Exception):
    """The request breaks a rule of its wire; the real service would refuse it like this."""

    def __init__(
        self, message: str, *, status: int = 400, code: str | None = None, param: str | None = None
    ) -> None:
        super().__init__(message)
        self.fail = Fail(status, code=code, message=message, param=param)


class Frame(msgspec.Struct, frozen=True):
    """Bytes for the stream; a delta carries a piece of content."""

    data: bytes
    delta: bool = False


class Service(msgspec.Struct):
    """How the upstream plays, and what it gave: `given` maps ids to what came with them."""

    chunk_size: int = 6  # characters a delta
    chat_reasoning: Literal["openrouter", "deepseek", "none"] = "openrouter"
    nonce: str = msgspec.field(default_factory=lambda: secrets.token_hex(4))
    given: dict[str, Json] = {}

    def pieces(self, text: str) -> Iterator[str]:
        for start in range(0, len(text), self.chunk_size):
            yield text[start : start + self.chunk_size]


class Wire(Protocol):
    """One wire format. The modules `anthropic_messages`, `openai_*` are such wires."""

    NAME: str
    PING: bytes

    def check(self, body: Json, headers: Mapping[str, str], service: Service) -> None:
        """Raise `Illegal` if the real service would refuse the request."""

    def read(self, body: Json, number: int) -> ParsedRequest:
        """Read a legal request."""
        ...

    def frames(self, reply: Reply, request: ParsedRequest, service: Service) -> list[Frame]:
        """The whole stream of a reply that nothing spoils."""
        ...

    def broken(
        self, fault: ErrorEvent | Failed, request: ParsedRequest, service: Service, sent: int
    ) -> bytes:
        """The event that ends a stream in which `sent` frames were sent."""
        ...

    def error_body(self, fail: Fail, model: str) -> Json:
        """The body of an HTTP error."""
        ...

    def headers(self, number: int) -> dict[str, str]:
        """The headers that every answer has."""
        ...


def sse(body: Json, event: str | None = None) -> bytes:
    """One event, with text unescaped as the providers send it (U+2028 too)."""
    name = f"event: {event}\n".encode() if event else b""
    return name + b"data: " + _compact(body) + b"\n\n"


def _compact(body: Json) -> bytes:
    try:
        return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return json.dumps(body, separators=(",", ":")).encode()


def as_list(value: Any) -> list[Json]:
    """The objects of a list that may be absent."""
    return [item for item in value or [] if isinstance(item, dict)]
