"""What the model says: neutral replies, and the scripts that choose them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from tests.upstream.faults import Fault

Json = dict[str, Any]
Stop = Literal["max_tokens", "refusal", "pause_turn", "content_filter"]


class Think(msgspec.Struct, frozen=True):
    """A thought; it is shown only to those whose request asks for thoughts."""

    text: str
    redacted: bool = False


class Say(msgspec.Struct, frozen=True):
    """Text for the user."""

    text: str


class Call(msgspec.Struct, frozen=True):
    """A tool call; `arguments` given as a string go out as they are, legal JSON or not."""

    name: str
    arguments: Json | str = {}

    @property
    def text(self) -> str:
        return self.arguments if isinstance(self.arguments, str) else json.dumps(self.arguments)


class Usage(msgspec.Struct, frozen=True):
    """Tokens: `cached` and `cache_write` are parts of `input`, `reasoning` of `output`."""

    input: int
    output: int
    cached: int = 0
    cache_write: int = 0
    reasoning: int = 0


Part = Think | Say | Call


class Reply(msgspec.Struct, frozen=True):
    """One answer of the model. `stop` overrides how it ends, `fault` spoils it."""

    parts: list[Part] = []
    stop: Stop | None = None
    usage: Usage | None = None
    fault: Fault | None = None

    @property
    def ending(self) -> Stop | Literal["tool_use", "end_turn"]:
        calls = any(isinstance(part, Call) for part in self.parts)
        return self.stop or ("tool_use" if calls else "end_turn")


class Entry(msgspec.Struct, frozen=True):
    """One thing that was said, in the same words for all wires."""

    kind: Literal["system", "user", "assistant", "call", "result"]
    text: str
    name: str = ""
    call_id: str = ""


class ParsedRequest(msgspec.Struct, frozen=True):
    """A request as a script sees it; `body` is the wire's own."""

    wire: str
    number: int  # 1 for the first request that the upstream was sent
    model: str
    history: list[Entry]
    tools: list[str]
    thinks: bool  # thoughts were asked for, and are shown
    images: int
    body: Json

    @property
    def user(self) -> str:
        """The last user message's text."""
        return next((entry.text for entry in reversed(self.history) if entry.kind == "user"), "")

    @property
    def results(self) -> list[Entry]:
        """The tool results that came after the last user message."""
        found: list[Entry] = []
        for entry in self.history:
            if entry.kind == "user":
                found = []
            elif entry.kind == "result":
                found.append(entry)
        return found


Script = Callable[[ParsedRequest], Reply]


def default_script(request: ParsedRequest) -> Reply:
    """A pure function of the last user message and the results after it.

    A message may script the reply itself, a part a line: `think: …`, `say: …`,
    `call: name {"json": …}`. Any other is echoed; results are read back.
    """
    if request.results:
        return Reply([Say("The tools said: " + "; ".join(r.text for r in request.results))])
    parts = [part for line in request.user.splitlines() if (part := _scripted(line))]
    echo: list[Part] = [Think(f"They say {request.user!r}."), Say(f"You said: {request.user}")]
    return Reply(parts or echo)


def _scripted(line: str) -> Part | None:
    word, _, rest = line.strip().partition(": ")
    if word == "think":
        return Think(rest)
    if word == "say":
        return Say(rest)
    if word == "call":
        name, _, arguments = rest.partition(" ")
        return Call(name, arguments or "{}")
    return None


def usage_of(reply: Reply, request: ParsedRequest) -> Usage:
    """The reply's usage: as scripted, or four characters a token, the same on every wire."""
    if reply.usage is not None:
        return reply.usage
    said = sum(len(part.text) for part in reply.parts)
    thought = sum(len(part.text) for part in reply.parts if isinstance(part, Think))
    asked = sum(len(entry.text) for entry in request.history)
    return Usage(asked // 4 + 1, said // 4 + 1, reasoning=thought // 4)
