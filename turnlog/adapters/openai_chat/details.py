"""OpenRouter's `reasoning_details`: streamed in fragments, wanted back whole and in order."""

from __future__ import annotations

from typing import Any

Detail = dict[str, Any]

_GROWING = ("text", "summary")


def text_of(details: list[Detail]) -> str:
    """What the fragments say in words."""
    return "".join(str(part.get(name) or "") for part in details for name in _GROWING)


def join(details: list[Detail], fragments: list[Detail]) -> None:
    """Add fragments to the details that they continue, or else after them."""
    for fragment in fragments:
        last = details[-1] if details else None
        if last is not None and _continues(last, fragment):
            grown = {
                name: str(last.get(name) or "") + str(fragment.get(name) or "")
                for name in _GROWING
                if name in last or name in fragment
            }
            last |= {name: value for name, value in fragment.items() if value is not None} | grown
        else:
            details.append(dict(fragment))


def _continues(last: Detail, fragment: Detail) -> bool:
    same = all(last.get(name) == fragment.get(name) for name in ("type", "index"))
    return same and fragment.get("type") != "reasoning.encrypted"


def without_texts(details: list[Detail], text: str) -> list[Detail]:
    """The details without the words that are in the thought's own text, in the same order."""
    kept: list[Detail] = []
    for detail in details:
        name = next((name for name in _GROWING if detail.get(name)), None)
        if name is not None and text.startswith(detail[name]):
            text = text[len(detail[name]) :]
            kept.append({"detail": detail | {name: ""}, "words": name, "length": len(detail[name])})
        else:
            kept.append({"detail": detail})
    return kept


def with_texts(kept: list[Detail], text: str) -> list[Detail]:
    """The details as they were given."""
    details: list[Detail] = []
    for each in kept:
        detail, name = dict(each["detail"]), each.get("words")
        if name is not None:
            detail[name], text = text[: each["length"]], text[each["length"] :]
        details.append(detail)
    return details
