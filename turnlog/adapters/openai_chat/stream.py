"""The chunks of a chat completion, as the parts of an answer."""

from __future__ import annotations

from collections.abc import Iterator

from turnlog.adapters.openai_chat.chunks import Choice, Delta, Fault, payloads
from turnlog.adapters.openai_chat.details import text_of
from turnlog.adapters.openai_chat.items import Items
from turnlog.adapters.wire.failures import Service, told
from turnlog.domain.errors import ModelFailed
from turnlog.domain.model import ModelPart
from turnlog.domain.values import StopReason, Usage

_DONE = b"[DONE]"
_STOPS: dict[str, StopReason] = {
    "stop": "end_turn",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "length": "max_tokens",
    "content_filter": "refusal",
}


class ChatReader:
    """Reads one answer."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._items = Items()
        self._refused = False
        self.whole = False
        self.ended = False
        self.usage: Usage | None = None
        self.stop_reason: StopReason = "unknown"
        self.response_id: str | None = None

    def read(self, payload: bytes) -> Iterator[ModelPart]:
        if payload.strip() == _DONE:
            self.ended = True
        chunk = None if self.ended else payloads.decode(payload)
        if chunk is None:
            return
        self.response_id = self.response_id or chunk.id
        if chunk.usage is not None:
            self.usage = chunk.usage.usage
        if chunk.error is not None:
            raise self._failure(chunk.error)
        for choice in (chunk.choices or [])[:1]:
            if choice.error is not None:
                raise self._failure(choice.error)
            if not self.whole:
                yield from self._choice(choice)

    def _choice(self, choice: Choice) -> Iterator[ModelPart]:
        if choice.delta is not None:
            yield from self._more(choice.delta)
        if not choice.finish_reason:
            return
        if choice.finish_reason == "error":
            raise self._failure("Unknown error")
        self.whole = True
        self.stop_reason = _STOPS.get(choice.finish_reason, "unknown")
        if self.stop_reason == "end_turn":
            if self._refused:
                self.stop_reason = "refusal"
            elif self._items.called:
                self.stop_reason = "tool_use"
        yield from self._items.finish()

    def _more(self, delta: Delta) -> Iterator[ModelPart]:
        details = delta.reasoning_details or []
        member = "reasoning" if delta.reasoning else "reasoning_content"
        thought = delta.reasoning or delta.reasoning_content or text_of(details)
        if thought:
            yield from self._items.speak("thinking", thought, {"member": member})
        if details:
            yield from self._items.remember(details)
        if text := delta.text or delta.refusal:
            self._refused |= bool(delta.refusal)
            yield from self._items.speak("message", text)
        for piece in delta.tool_calls or []:
            yield from self._items.call(piece)

    def _failure(self, fault: Fault | str) -> ModelFailed:
        """OpenRouter's codes are HTTP statuses; other servers' are words."""
        if isinstance(fault, str):
            return told(self._service, fault)
        status = fault.code if isinstance(fault.code, int) and fault.code >= 400 else None
        words = f"{fault.type} {fault.code}"
        return told(self._service, fault.message or "Unknown error", words=words, status=status)
