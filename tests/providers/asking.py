"""Asking the adapters, and what was heard."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing, asynccontextmanager
from typing import Any, Protocol

from msgspec import Struct

from tests.prompt.history import History
from turnlog.adapters.anthropic import AnthropicMessages
from turnlog.adapters.openai_chat import OpenAIChat
from turnlog.adapters.openai_chat.request import ProviderId
from turnlog.adapters.openai_responses import OpenAIResponses
from turnlog.domain.model import (
    ItemCompleted,
    ItemDelta,
    ItemStarted,
    ModelPart,
    ModelRequest,
    PromptItem,
    StepFinished,
    Text,
    UsageReported,
    UserSaid,
)
from turnlog.domain.tools import ToolSpec
from turnlog.domain.values import Model, Reasoning, StopReason, Usage

KEY = "sk-upstream-1234567890"
READ = ToolSpec(name="read", description="Reads.", parameters={"type": "object"})
VOICES = ("anthropic/messages", "openai/responses", "openai/chat", "openrouter/chat", "local/chat")
Provider = AnthropicMessages | OpenAIResponses | OpenAIChat
_CHATS: dict[str, ProviderId] = {"openai": "openai", "openrouter": "openrouter", "local": "local"}


class Voice(Struct, frozen=True):
    """An adapter, and the model that is asked by it."""

    provider: Provider
    model: Model


class Item(Struct, frozen=True):
    kind: str
    text: str
    name: str = ""
    whole: bool = True


class Heard(Struct):
    """What an answer's parts say together."""

    parts: list[ModelPart]

    @property
    def items(self) -> list[Item]:
        texts: dict[int, str] = {}
        started: dict[int, ItemStarted] = {}
        ended: set[int] = set()
        for part in self.parts:
            match part:
                case ItemStarted():
                    assert part.item == len(started), "items are numbered from 0"
                    started[part.item], texts[part.item] = part, ""
                case ItemDelta():
                    assert part.text, "no delta is empty"
                    assert part.item not in ended
                    texts[part.item] += part.text
                case ItemCompleted():
                    assert part.item in started
                    assert part.item not in ended
                    ended.add(part.item)
                case _:
                    pass
        return [
            Item(part.kind, texts[item], part.name, item in ended) for item, part in started.items()
        ]

    @property
    def usage(self) -> Usage:
        """The last that was told of it."""
        told = [part for part in self.parts if isinstance(part, UsageReported | StepFinished)]
        return told[-1].usage

    @property
    def stop(self) -> StopReason:
        finished = self.parts[-1]
        assert isinstance(finished, StepFinished)
        return finished.stop_reason


class Place(Protocol):
    """Where providers are reached."""

    @property
    def url(self) -> str: ...

    @property
    def openai_url(self) -> str: ...


class Voices(dict[str, Voice]):
    """Adapters that speak to the upstream, each made when it is first asked for."""

    def __init__(self, upstream: Place, key: str = KEY) -> None:
        super().__init__()
        self._upstream = upstream
        self._key = key

    def __missing__(self, name: str) -> Voice:
        model = named(name)
        self[name] = Voice(self._provider(model), model)
        return self[name]

    def _provider(self, model: Model) -> Provider:
        if model.model_provider_api == "messages":
            return AnthropicMessages(self._key, self._upstream.url)
        url = self._upstream.openai_url
        if model.model_provider_api == "responses":
            return OpenAIResponses(self._key, url)
        return OpenAIChat(_CHATS[model.model_provider_id], self._key, url)


@asynccontextmanager
async def speaking(upstream: Place, key: str = KEY) -> AsyncIterator[Voices]:
    """The voices, closed in the end."""
    voices = Voices(upstream, key)
    try:
        yield voices
    finally:
        for voice in voices.values():
            await voice.provider.close()


def named(voice: str, model: str = "model-one") -> Model:
    provider, api = voice.split("/")
    return Model(model_provider_id=provider, model_provider_api=api, model=model)


def request(model: Model, *items: PromptItem | str, **members: Any) -> ModelRequest:
    """A request with thinking; texts are what the user said."""
    said = [UserSaid((Text(item),)) if isinstance(item, str) else item for item in items]
    asked = {"reasoning": Reasoning(budget_tokens=1024), "tools": (READ,), **members}
    return ModelRequest(model=model, items=tuple(said), **asked)


async def ask(voice: Voice, *items: PromptItem | str, **members: Any) -> Heard:
    return await heard(voice, request(voice.model, *items, **members))


async def heard(voice: Voice, asked: ModelRequest, into: Heard | None = None) -> Heard:
    """All parts of an answer; `into` has them even if it fails."""
    into = Heard([]) if into is None else into
    async with aclosing(voice.provider.stream(asked)) as parts:
        async for part in parts:
            into.parts.append(part)
    return into


async def step(history: History, voice: Voice, **members: Any) -> Heard:
    """One step of a conversation: asked with its prompt, and recorded in it."""
    asked = request(voice.model, *history.prompt(voice.model), **members)
    history.begins()
    answer = await heard(voice, asked)
    tell(history, answer.parts)
    return answer


def tell(history: History, parts: Iterable[ModelPart]) -> None:
    for part in parts:
        history.hear(part)
