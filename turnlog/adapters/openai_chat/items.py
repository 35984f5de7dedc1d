"""The items of one chat completion, which the wire leaves to be told apart by its readers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from msgspec import Struct, field

from turnlog.adapters.openai_chat.chunks import Call
from turnlog.adapters.openai_chat.details import Detail, join, without_texts
from turnlog.adapters.wire.halves import Halves
from turnlog.domain.codec import mended
from turnlog.domain.model import ItemCompleted, ItemDelta, ItemStarted, ModelPart
from turnlog.domain.values import ItemKind

Spoken = Literal["thinking", "message"]


class _Open(Struct):
    item: int
    kind: ItemKind
    given: dict[str, Any] = field(default_factory=dict)
    details: list[Detail] = field(default_factory=list)
    index: int | None = None
    name: str = ""
    held: str = ""
    words: list[str] = field(default_factory=list)
    halves: Halves = field(default_factory=Halves)

    def write(self, text: str) -> Iterator[ModelPart]:
        if text := self.halves.take(text):
            self.words.append(text)
            yield ItemDelta(self.item, text)

    def end(self) -> Iterator[ModelPart]:
        yield from self.write(self.halves.rest())
        # A thought that was mended is not what was signed, and would be refused.
        unsigned = self.kind == "thinking" and self.halves.broken
        details = [] if unsigned else mended(self.details)
        given = dict(self.given)
        if details:
            given["reasoning_details"] = without_texts(details, "".join(self.words))
        yield ItemCompleted(item=self.item, provider_data=mended(given) or None)


class Items:
    """A thought or message ends where another kind of item begins; calls, which servers may
    write side by side, end with the answer. So only the first is shown while it is written:
    as on other APIs, a call is whole before the next begins.
    """

    def __init__(self) -> None:
        self._count = 0
        self._spoken: _Open | None = None
        self._calls: list[_Open] = []

    @property
    def called(self) -> bool:
        """Whether there is a call among them."""
        return bool(self._calls)

    def speak(
        self, kind: Spoken, text: str, given: dict[str, Any] | None = None
    ) -> Iterator[ModelPart]:
        """More of a thought or of a message; `given` names the member that it came in."""
        if self._spoken is None or self._spoken.kind != kind:
            yield from self._hush()
            self._spoken = _Open(self._next(), kind, given or {})
            yield ItemStarted(item=self._spoken.item, kind=kind)
        yield from self._spoken.write(text)

    def remember(self, fragments: list[Detail]) -> Iterator[ModelPart]:
        """Details without words belong to what is open; if nothing is, they are a thought."""
        if self._spoken is None and not self._calls:
            yield from self.speak("thinking", "")
        open_item = self._spoken or self._calls[-1]
        join(open_item.details, fragments)

    def call(self, piece: Call) -> Iterator[ModelPart]:
        """More of a call."""
        open_call = self._continued(piece)
        if open_call is None:
            yield from self._hush()
            known = any(call.given.get("id") == piece.id for call in self._calls)
            given = {"id": piece.id} if piece.id and not known else {}
            name = mended((piece.function and piece.function.name) or "")
            open_call = _Open(-1, "tool_call", given, index=piece.index, name=name)
            self._calls.append(open_call)
            if open_call is self._calls[0]:
                yield self._begun(open_call)
        if piece.extra_content:
            open_call.given["extra_content"] = piece.extra_content
        text = piece.function.text if piece.function else ""
        if open_call is self._calls[0]:
            yield from open_call.write(text)
        else:
            open_call.held += text

    def finish(self) -> Iterator[ModelPart]:
        """End all that is open."""
        yield from self._hush()
        for number, call in enumerate(self._calls):
            if number:
                yield self._begun(call)
                yield from call.write(call.held)
            if not call.words:
                yield from call.write("{}")
            yield from call.end()

    def _continued(self, piece: Call) -> _Open | None:
        """The call that a piece belongs to. Some servers send whole calls, all with index 0."""
        name = piece.function and piece.function.name
        for call in reversed(self._calls):
            begun_anew = name and piece.id and piece.id != call.given.get("id")
            if piece.index is not None and piece.index == call.index:
                return None if begun_anew else call
        if piece.index is not None or name:
            return None
        return self._calls[-1] if self._calls else None

    def _hush(self) -> Iterator[ModelPart]:
        if self._spoken is not None:
            yield from self._spoken.end()
            self._spoken = None

    def _begun(self, call: _Open) -> ItemStarted:
        call.item = self._next()
        return ItemStarted(item=call.item, kind="tool_call", name=call.name)

    def _next(self) -> int:
        self._count += 1
        return self._count - 1
