"""Anthropic's stream of events, as the parts of an answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import msgspec
from msgspec import Struct, field

from turnlog.adapters.wire.failures import Service, told
from turnlog.adapters.wire.halves import Halves
from turnlog.adapters.wire.payloads import Payloads
from turnlog.domain.codec import mended
from turnlog.domain.model import ItemCompleted, ItemDelta, ItemStarted, ModelPart, UsageReported
from turnlog.domain.values import ItemKind, StopReason, Usage

_KINDS: dict[str, ItemKind] = {
    "thinking": "thinking",
    "redacted_thinking": "thinking",
    "text": "message",
    "tool_use": "tool_call",
}
_STOPS: dict[str, StopReason] = {stop: stop for stop in get_args(StopReason)}
_STOPS["model_context_window_exceeded"] = "max_tokens"
_KNOWN = frozenset(
    {
        "message_start",
        "message_delta",
        "message_stop",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "error",
    }
)


class _Details(Struct):
    thinking_tokens: int = 0


class _Usage(Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    output_tokens_details: _Details | None = None


class _Message(Struct):
    id: str | None = None
    usage: _Usage | None = None


class _Delta(Struct):
    text: str = ""
    thinking: str = ""
    partial_json: str = ""
    signature: str | None = None
    stop_reason: str | None = None


class _Error(Struct):
    type: str = ""
    message: str = ""


class _Event(Struct):
    type: str
    index: int = 0
    message: _Message | None = None
    content_block: dict[str, Any] | None = None
    delta: _Delta | None = None
    usage: _Usage | None = None
    error: _Error | None = None


_payloads = Payloads(_Event, _KNOWN)


class _Block(Struct):
    """A content block under way; `given` is what its item's provider data will be."""

    item: int
    kind: str
    given: dict[str, Any]
    begun: dict[str, Any]
    written: bool = False
    halves: Halves = field(default_factory=Halves)

    def write(self, text: str) -> Iterator[ModelPart]:
        if text:
            self.written = True
            yield ItemDelta(self.item, text)


class MessagesReader:
    """Reads one answer. Blocks that no tool of ours can cause are passed over."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._blocks: dict[int, _Block] = {}
        self._items = 0
        self._counted = _Usage()
        self.whole = False
        self.ended = False
        self.usage: Usage | None = None
        self.stop_reason: StopReason = "unknown"
        self.response_id: str | None = None

    def read(self, payload: bytes) -> Iterator[ModelPart]:
        event = _payloads.decode(payload)
        if event is None or self.ended:
            return
        match event.type:
            case "content_block_delta" if event.delta is not None:
                yield from self._more(event.index, event.delta)
            case "content_block_start" if event.content_block is not None:
                yield from self._begin(event.index, mended(event.content_block))
            case "content_block_stop":
                yield from self._end(event.index)
            case "message_start" if event.message is not None:
                self.response_id = event.message.id
                yield from self._count(event.message.usage)
            case "message_delta":
                stop = (event.delta and event.delta.stop_reason) or ""
                self.stop_reason = _STOPS.get(stop, "unknown")
                yield from self._count(event.usage)
            case "message_stop":
                self.whole = self.ended = True
            case "error":
                error = event.error or _Error()
                raise told(self._service, error.message or "Unknown error", words=error.type)
            case _:
                pass

    def _begin(self, index: int, block: dict[str, Any]) -> Iterator[ModelPart]:
        kind = str(block.get("type"))
        if kind not in _KINDS:
            return
        given: dict[str, Any] = {}
        if kind == "thinking":
            given = {"type": kind, "signature": block.get("signature") or ""}
        elif kind == "redacted_thinking":
            given = block
        elif kind == "tool_use":
            given = {k: v for k, v in block.items() if k not in ("type", "name", "input")}
        item, self._items = self._items, self._items + 1
        begun = self._blocks[index] = _Block(item, kind, given, block)
        name = block.get("name") if kind == "tool_use" else ""
        yield ItemStarted(item=item, kind=_KINDS[kind], name=str(name))
        yield from begun.write(block.get("thinking" if kind == "thinking" else "text") or "")

    def _more(self, index: int, delta: _Delta) -> Iterator[ModelPart]:
        block = self._blocks.get(index)
        if block is None:
            return
        if delta.signature is not None:
            block.given["signature"] = delta.signature
        text = delta.text or delta.thinking or delta.partial_json
        yield from block.write(block.halves.take(text))

    def _end(self, index: int) -> Iterator[ModelPart]:
        block = self._blocks.pop(index, None)
        if block is None:
            return
        yield from block.write(block.halves.rest())
        if block.kind == "tool_use" and not block.written:
            arguments = block.begun.get("input") or {}
            yield from block.write(msgspec.json.encode(arguments).decode())
        # A thought that was mended is not what was signed, and would be refused.
        unsigned = block.kind == "thinking" and block.halves.broken
        given = None if unsigned else mended(block.given) or None
        yield ItemCompleted(item=block.item, provider_data=given)

    def _count(self, usage: _Usage | None) -> Iterator[ModelPart]:
        """Later numbers replace earlier ones; `input_tokens` is without what is cached."""
        for name in _Usage.__struct_fields__:
            if usage is not None and (value := getattr(usage, name)) is not None:
                setattr(self._counted, name, value)
        counted = self._counted
        if counted.input_tokens is None:
            return
        read, written = counted.cache_read_input_tokens, counted.cache_creation_input_tokens
        thought = counted.output_tokens_details
        self.usage = Usage(
            input_tokens=counted.input_tokens + (read or 0) + (written or 0),
            output_tokens=counted.output_tokens or 0,
            cached_input_tokens=read or 0,
            cache_write_tokens=written or 0,
            reasoning_tokens=thought.thinking_tokens if thought else 0,
        )
        yield UsageReported(self.usage)
