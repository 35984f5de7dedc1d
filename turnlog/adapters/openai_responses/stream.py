"""The Responses API's stream of events, as the parts of an answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from turnlog.adapters.openai_responses.events import TEXTS, THOUGHTS, Answer, Event, Fault, payloads
from turnlog.adapters.openai_responses.items import Output, kept, texts_of
from turnlog.adapters.wire.failures import Service, told
from turnlog.domain.codec import mended
from turnlog.domain.model import ItemCompleted, ItemStarted, ModelPart
from turnlog.domain.values import ItemKind, StopReason, Usage

_KINDS: dict[str, ItemKind] = {
    "reasoning": "thinking",
    "message": "message",
    "function_call": "tool_call",
}
_CUT: dict[str | None, StopReason] = {
    "max_output_tokens": "max_tokens",
    "content_filter": "refusal",
}


class ResponsesReader:
    """Reads one answer. Output items that no tool of ours can cause are passed over."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._outputs: dict[int, Output] = {}
        self._items = 0
        self._called = False
        self._refused = False
        self.whole = False
        self.ended = False
        self.usage: Usage | None = None
        self.stop_reason: StopReason = "unknown"
        self.response_id: str | None = None

    def read(self, payload: bytes) -> Iterator[ModelPart]:
        event = payloads.decode(payload)
        if event is None or self.ended:
            return
        match event.type:
            case kind if kind in TEXTS:
                yield from self._say(event, TEXTS[kind])
            case kind if kind in THOUGHTS:
                yield from self._think(event)
            case "response.function_call_arguments.delta":
                yield from self._say(event, "function_call")
            case "response.output_item.added" if event.item is not None:
                yield from self._begin(event.output_index, mended(event.item))
            case "response.output_item.done" if event.item is not None:
                yield from self._end(event.output_index, mended(event.item))
            case "response.created" if event.response is not None:
                self.response_id = event.response.id
            case "response.completed" | "response.incomplete":
                self._finish(event.response or Answer(), cut=event.type == "response.incomplete")
            case "response.failed" | "error":
                fault = event.error or (event.response and event.response.error)
                raise self._failure(fault or Fault(code=event.code, message=event.message))
            case _:
                pass

    def _begin(self, index: int, item: dict[str, Any]) -> Iterator[ModelPart]:
        kind = str(item.get("type"))
        if kind not in _KINDS:
            return
        self._called |= kind == "function_call"
        self._outputs[index] = Output(self._items, kind)
        self._items += 1
        name = item.get("name") if kind == "function_call" else ""
        yield ItemStarted(item=self._outputs[index].item, kind=_KINDS[kind], name=str(name))

    def _say(self, event: Event, kind: str) -> Iterator[ModelPart]:
        self._refused |= kind == "refusal"
        output = self._outputs.get(event.output_index)
        if output is not None:
            yield from output.write(output.halves.take(event.delta), event.content_index)

    def _think(self, event: Event) -> Iterator[ModelPart]:
        """The parts of a thought are paragraphs."""
        output = self._outputs.get(event.output_index)
        if output is None:
            return
        part = (event.type, event.summary_index + event.content_index)
        break_ = "" if output.part in (None, part) else "\n\n"
        output.part = part
        yield from output.write(output.halves.take(break_ + event.delta))

    def _end(self, index: int, item: dict[str, Any]) -> Iterator[ModelPart]:
        output = self._outputs.pop(index, None)
        if output is None:
            return
        yield from output.write(output.halves.rest(), len(item.get("content") or [0]) - 1)
        if not output.written:
            yield from self._late(output, item)
        yield ItemCompleted(item=output.item, provider_data=kept(item, output))

    def _late(self, output: Output, item: dict[str, Any]) -> Iterator[ModelPart]:
        """What was not streamed stands in the finished item."""
        if output.kind == "message":
            for place, part in enumerate(item.get("content") or []):
                yield from output.write(texts_of({"content": [part]}), place)
        else:
            empty = "{}" if output.kind == "function_call" else ""
            yield from output.write(texts_of(item) or empty)

    def _finish(self, response: Answer, *, cut: bool) -> None:
        self.whole = self.ended = True
        self.response_id = response.id or self.response_id
        if response.usage is not None:
            self.usage = response.usage.usage
        if cut:
            details = response.incomplete_details
            reason = None if details is None else details.reason
            self.stop_reason = _CUT.get(reason, "unknown")
        elif self._refused:
            self.stop_reason = "refusal"
        else:
            self.stop_reason = "tool_use" if self._called else "end_turn"

    def _failure(self, fault: Fault) -> Exception:
        message = fault.message or "Unknown error"
        return told(self._service, message, words=f"{fault.type} {fault.code}")
