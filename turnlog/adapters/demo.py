"""The demo model works offline; its replies are a function of the request alone.

It is there to try the server with, and for tests. What it does, and how a
message steers it, is told by `describe()` (see `demo_script.py`).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import get_args

from turnlog.adapters.demo_script import Piece, Script, describe, read
from turnlog.domain.errors import ModelFailed, ModelFailure
from turnlog.domain.model import (
    AgentCalled,
    AgentSaid,
    ItemCompleted,
    ItemDelta,
    ItemStarted,
    ModelPart,
    ModelRequest,
    PromptItem,
    StepFinished,
    Text,
    ToolAnswered,
    UsageReported,
    UserSaid,
)
from turnlog.domain.values import Usage

__all__ = ["DemoModel", "describe"]

_WORD = re.compile(r"\s*\S+\s*|\s+")
_SHOWN = 400


class DemoModel:
    """Plays the script that the last user message is; `pace` is seconds a word."""

    def __init__(
        self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep, pace: float = 0.02
    ) -> None:
        self._sleep = sleep
        self._pace = pace

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelPart, None]:
        """The parts of one answer; raises `ModelFailed` where `/fail` says so."""
        since = _since_the_user(request.items)
        may_look = any(tool.name == "listFiles" for tool in request.tools)
        script = read(_text(since[0]) if since else "", may_look)
        pieces = _step(script, since)
        pause = self._pace if script.delay is None else script.delay
        usage = Usage(input_tokens=_words_read(request))
        yield UsageReported(usage)
        for number, piece in enumerate(pieces):
            if piece.kind == "failure":
                raise _failure(piece.text)
            yield ItemStarted(item=number, kind=piece.kind, name=piece.name)
            for word in _WORD.findall(piece.text):
                await self._sleep(pause)
                yield ItemDelta(number, word)
            usage += _words_written(piece)
            yield UsageReported(usage)
            if not any(after.kind == "failure" for after in pieces[number + 1 : number + 2]):
                yield ItemCompleted(item=number)
        calls = any(piece.kind == "tool_call" for piece in pieces)
        paused = bool(since) and isinstance(since[-1], AgentSaid)
        stop = "tool_use" if calls else "end_turn" if paused else script.stop
        yield StepFinished(usage=usage, stop_reason=stop)


def _since_the_user(items: tuple[PromptItem, ...]) -> tuple[PromptItem, ...]:
    """The last user message, and what came after it."""
    said = [place for place, item in enumerate(items) if isinstance(item, UserSaid)]
    return items[said[-1] :] if said else ()


def _step(script: Script, since: tuple[PromptItem, ...]) -> list[Piece]:
    """The step that follows the results that are there."""
    results = [item for item in since if isinstance(item, ToolAnswered)]
    rounds, last = script.steps()
    results_left = len(results)
    for step in rounds:
        if results_left <= 0:
            return step
        results_left -= sum(piece.kind == "tool_call" for piece in step)
    if any(piece.kind in ("message", "failure") for piece in last):
        return last
    return [*last, Piece("message", _answer(since, results))]


def _answer(since: tuple[PromptItem, ...], results: list[ToolAnswered]) -> str:
    said = _clipped(_text(since[0])) if since else ""
    told = [
        f"{result.name} {'failed' if result.failed else 'says'}: {_clipped(result.output)}"
        for result in results
    ]
    return "\n\n".join(
        [
            f"You said: “{said}”." if said else "You said nothing in words.",
            *told,
            "I am the demo model, and what I say is made by rules; /help tells which.",
        ]
    )


def _failure(code: str) -> ModelFailed:
    known: tuple[ModelFailure, ...] = get_args(ModelFailure)
    reason: ModelFailure = next((reason for reason in known if reason == code), "provider_error")
    return ModelFailed(
        reason,
        f"The demo model fails as it was told to: {code or reason}.",
        provider="demo",
        retryable=reason in ("rate_limited", "overloaded", "connection", "stalled"),
    )


def _words_read(request: ModelRequest) -> int:
    texts = [request.instructions or "", *(_text(item) for item in request.items)]
    return sum(len(text.split()) for text in texts)


def _words_written(piece: Piece) -> Usage:
    words = len(piece.text.split())
    return Usage(output_tokens=words, reasoning_tokens=words if piece.kind == "thinking" else 0)


def _text(item: PromptItem) -> str:
    match item:
        case UserSaid():
            return "\n".join(part.text for part in item.content if isinstance(part, Text))
        case AgentCalled():
            return item.arguments
        case ToolAnswered():
            return item.output
        case _:
            return item.text


def _clipped(text: str) -> str:
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
