"""Output items of the Responses API: kept without their long texts, and made whole again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import Struct, field

from turnlog.adapters.wire.halves import Halves
from turnlog.domain.model import ItemDelta, ModelPart

Item = dict[str, Any]

_TEXT = {"output_text": "text", "refusal": "refusal"}


class Output(Struct):
    """An output item under way, as the item of ours with the number `item`."""

    item: int
    kind: str
    written: bool = False
    lengths: dict[int, int] = field(default_factory=dict)
    part: tuple[str, int] | None = None
    halves: Halves = field(default_factory=Halves)

    def write(self, text: str, content: int = 0) -> Iterator[ModelPart]:
        """More of it; the length of each part of its `content` is remembered."""
        if text:
            self.written = True
            self.lengths[content] = self.lengths.get(content, 0) + len(text)
            yield ItemDelta(self.item, text)


def texts_of(item: Item) -> str:
    """All that an item says: its text, its arguments, or the parts of its thought."""
    match item.get("type"):
        case "function_call":
            return str(item.get("arguments") or "")
        case "reasoning":
            parts = [*(item.get("summary") or []), *(item.get("content") or [])]
            return "\n\n".join(str(part.get("text") or "") for part in parts)
        case _:
            return "".join(_text(part) for part in item.get("content") or [])


def kept(item: Item, output: Output) -> Item:
    """What must be kept of a finished item beside its text, which the log has already."""
    item = {name: value for name, value in item.items() if value is not None}
    match output.kind:
        case "function_call":
            return {name: item[name] for name in item if name not in ("name", "arguments")}
        case "message":
            return {**item, "content": _without_texts(item.get("content") or [], output)}
        case _:
            return item


def whole_message(content: Item, text: str) -> Item:
    """A message as it was given: `kept` with its text in its parts again."""
    parts: list[Item] = []
    for part in content.get("content") or []:
        length = part.get("length")
        member = _TEXT.get(str(part.get("type")))
        if member is not None and length is not None:
            part = {name: value for name, value in part.items() if name != "length"}
            part[member], text = text[:length], text[length:]
        parts.append(part)
    return {**content, "content": parts}


def _text(part: Item) -> str:
    return str(part.get(_TEXT.get(str(part.get("type")), ""), ""))


def _without_texts(parts: list[Item], output: Output) -> list[Item]:
    return [
        {
            **{name: value for name, value in part.items() if name != _TEXT.get(part["type"])},
            "length": output.lengths.get(index, 0),
        }
        for index, part in enumerate(parts)
    ]
