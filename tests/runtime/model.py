"""A model that says what a test gives it, when it gives it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence

from tests.domain import ask
from tests.runtime.waiting import PATIENCE
from turnlog.domain.model import (
    ItemCompleted,
    ItemDelta,
    ItemStarted,
    ModelPart,
    ModelRequest,
    StepFinished,
)
from turnlog.domain.values import ItemKind, StopReason, Usage


class Answer:
    """What a model says to one request: what the test gives it, when it gives it."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.hung_up = asyncio.Event()
        self.parts: asyncio.Queue[ModelPart | Exception | None] = asyncio.Queue()

    def gives(self, *parts: ModelPart | Sequence[ModelPart]) -> Answer:
        for part in parts:
            for each in part if isinstance(part, Sequence) else [part]:
                self.parts.put_nowait(each)
        return self

    def fails(self, error: Exception) -> None:
        self.parts.put_nowait(error)

    def breaks_off(self) -> None:
        """The stream ends there, in the middle of whatever it was saying."""
        self.parts.put_nowait(None)


class ScriptedModel:
    """A model that says what it is given (`ModelProvider`)."""

    def __init__(self) -> None:
        self.requests: list[ModelRequest] = []
        self._answers: dict[int, Answer] = {}

    def answer(self, number: int = 0) -> Answer:
        """Its answer to the request of that number, from 0, also to one not made yet."""
        return self._answers.setdefault(number, Answer())

    async def asked(self, number: int = 0) -> ModelRequest:
        """Wait for the request of that number."""
        async with asyncio.timeout(PATIENCE):
            await self.answer(number).asked.wait()
        return self.requests[number]

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelPart, None]:
        answer = self.answer(len(self.requests))
        self.requests.append(request)
        answer.asked.set()
        try:
            while (part := await answer.parts.get()) is not None:
                if isinstance(part, Exception):
                    raise part
                yield part
        finally:
            answer.hung_up.set()


def item(number: int, kind: ItemKind, *texts: str, name: str = "") -> list[ModelPart]:
    """One whole item of an answer."""
    deltas = [ItemDelta(number, text) for text in texts]
    return [ItemStarted(item=number, kind=kind, name=name), *deltas, ItemCompleted(item=number)]


def says(*texts: str, number: int = 0) -> list[ModelPart]:
    return item(number, "message", *texts)


def thinks(*texts: str, number: int = 0) -> list[ModelPart]:
    return item(number, "thinking", *texts)


def calls(name: str, arguments: str = "{}", number: int = 0) -> list[ModelPart]:
    return item(number, "tool_call", arguments, name=name)


def finishes(stop: StopReason = "end_turn", usage: Usage = ask.USAGE) -> StepFinished:
    return StepFinished(usage=usage, stop_reason=stop)
