"""How much is shown of thoughts and of tool calls."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import Struct

from turnlog.domain.codec import escape_line_ends
from turnlog.domain.errors import InvalidInput

Level = Literal["none", "summary", "full"]

# A summary is made of these members only, so that what a later release adds stays out of it.
_SAYS_THAT_IT_HAPPENED = frozenset(
    {
        "type",
        "at",
        "turnId",
        "step",
        "item",
        "callId",
        "name",
        "status",
        "partial",
        "runsOn",
        "approval",
        "by",
        "durationMs",
    }
)


class Levels(Struct, frozen=True):
    """How much is shown of thoughts, and of tool calls."""

    thinking: Level = "full"
    tools: Level = "full"

    def of(self, topic: str) -> Level:
        """The level that applies to a type of event."""
        if topic.startswith("thinking."):
            return self.thinking
        if topic.startswith("tool_call."):
            return self.tools
        return "full"


STATUS_LEVELS = Levels(thinking="full", tools="none")


def parse(word: str) -> Level:
    """The level of that name; raises `InvalidInput`."""
    match word:
        case "none" | "summary" | "full":
            return word
        case _:
            raise InvalidInput(message=f"'{word[:80]}' is no level: none, summary or full.")


def summary(topic: str, state: bytes) -> bytes:
    """The event's JSON without its text, arguments or output; empty for a delta.

    The caller keeps it: it is the same bytes for every subscriber.
    """
    if topic.endswith("delta"):
        return b""
    members: dict[str, Any] = msgspec.json.decode(state)
    kept = {name: value for name, value in members.items() if name in _SAYS_THAT_IT_HAPPENED}
    return escape_line_ends(msgspec.json.encode(kept))
