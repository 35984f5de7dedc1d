"""The script that the demo model plays is the last user message.

Unless told otherwise the model thinks for a moment, looks at the files if it may
(`listFiles`), and answers, a word at a time. Directives in the message, each to
the end of its line or to the next one, say what it does instead, in their order:

    /say TEXT          a message
    /think TEXT        a thought
    /tokens N          a message of N words
    /call NAME {JSON}  a tool call, with any arguments, even broken ones; calls in
                       a row are made at once, and what follows waits for results
    /fail CODE         a failure, in the middle of the item before it: rate_limited,
                       overloaded, invalid_request, authentication, context_too_long,
                       connection, stalled
    /help              this text, as a message

Others say how it does so, wherever they stand:

    /delay MS          the pause before each word
    /steps N           every round of calls is made N times; without /call, of `listFiles`
    /stop REASON       how the last step ends: max_tokens, refusal, stop_sequence …
"""

from __future__ import annotations

import re
from itertools import cycle, islice
from typing import Literal, get_args

from msgspec import Struct

from turnlog.domain.errors import ModelFailed
from turnlog.domain.values import ItemKind, StopReason

_DIRECTIVE = re.compile(r"(?<!\S)/(say|think|tokens|call|fail|help|delay|steps|stop)(?!\S)")
_WORDS = ("and", "so", "on", "and", "on,", "word", "after", "word,", "as", "was", "asked", "for,")
_LARGEST = 1_000_000


class Piece(Struct, frozen=True):
    """An item to be made, or the failure that cuts off the one before it."""

    kind: ItemKind | Literal["failure"]
    text: str
    name: str = ""


class Script(Struct):
    """What to do, in order, and how: `delay` in seconds, `times` for each round of calls."""

    pieces: list[Piece]
    delay: float | None = None
    times: int | None = None
    stop: StopReason = "end_turn"

    def steps(self) -> tuple[list[list[Piece]], list[Piece]]:
        """The rounds, which are steps that end in calls, and the last step."""
        rounds: list[list[Piece]] = []
        times = 1 if self.times is None else self.times
        step: list[Piece] = []
        for piece in self.pieces:
            if _calls(step) and piece.kind != "tool_call":
                rounds += [step] * times
                step = []
            step.append(piece)
        return ([*rounds, *[step] * times], []) if _calls(step) else (rounds, step)


def describe() -> str:
    """What the demo model does, and the directives that it knows."""
    return __doc__ or ""


def read(message: str, may_look: bool) -> Script:
    """The script that a message is; `may_look`: there is a tool `listFiles`."""
    script = Script([])
    _, *told = _DIRECTIVE.split(message)
    for directive, argument in zip(told[::2], told[1::2], strict=True):
        _obey(script, directive, argument.partition("\n")[0].strip())
    look = Piece("tool_call", "{}", "listFiles")
    if script.times is not None and not any(piece.kind == "tool_call" for piece in script.pieces):
        script.pieces.insert(0, look)
    if not script.pieces:
        thought = "Let me look at the files first." if may_look else "Let me see."
        script.pieces = [Piece("thinking", thought), *([look] if may_look else [])]
    return script


def _obey(script: Script, directive: str, argument: str) -> None:
    match directive:
        case "say":
            script.pieces.append(Piece("message", argument))
        case "think":
            script.pieces.append(Piece("thinking", argument))
        case "tokens":
            words = islice(cycle(_WORDS), _number(directive, argument))
            script.pieces.append(Piece("message", " ".join(words)))
        case "call":
            name, _, arguments = argument.partition(" ")
            script.pieces.append(Piece("tool_call", arguments.strip() or "{}", name))
        case "fail":
            script.pieces.append(Piece("failure", argument))
        case "help":
            script.pieces.append(Piece("message", describe()))
        case "delay":
            script.delay = _number(directive, argument) / 1000
        case "steps":
            script.times = _number(directive, argument)
        case _:
            known: tuple[StopReason, ...] = get_args(StopReason)
            script.stop = next((reason for reason in known if reason == argument), "unknown")


def _number(directive: str, argument: str) -> int:
    digits = argument.isascii() and argument.isdecimal() and len(argument) < 9
    if not digits or int(argument) > _LARGEST:
        message = f"/{directive} takes a whole number up to {_LARGEST:,}, not '{argument}'."
        raise ModelFailed("invalid_request", message, provider="demo")
    return int(argument)


def _calls(step: list[Piece]) -> bool:
    return bool(step) and step[-1].kind == "tool_call"
