"""Which models can be used: the providers that the settings configure."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Literal, Protocol

from turnlog.adapters.demo import DemoModel
from turnlog.config import Settings
from turnlog.domain.ports import ModelProvider
from turnlog.runtime.models import Models, ProviderEntry

OPENROUTER_URL = "https://openrouter.ai/api/v1"


class _Closable(ModelProvider, Protocol):
    async def close(self) -> None: ...


def models(settings: Settings, stack: AsyncExitStack) -> Models:
    """The providers of the API's table; one without its key is known and cannot be used."""

    def kept(provider: _Closable) -> ModelProvider:
        stack.push_async_callback(provider.close)
        return provider

    responses = openai_chat = messages = openrouter = local = None
    if key := settings.openai_api_key:
        responses = kept(_responses(key, settings.openai_base_url))
        openai_chat = kept(_chat("openai", key, settings.openai_base_url))
    if key := settings.anthropic_api_key:
        messages = kept(_messages(key, settings.anthropic_base_url))
    if key := settings.openrouter_api_key:
        openrouter = kept(_chat("openrouter", key, settings.openrouter_base_url or OPENROUTER_URL))
    if settings.local_base_url:
        local = kept(_chat("local", settings.local_api_key, settings.local_base_url))
    return Models(
        (
            ProviderEntry(
                provider_id="openai",
                name="OpenAI",
                variable="OPENAI_API_KEY",
                apis={"responses": responses, "chat": openai_chat},
            ),
            ProviderEntry(
                provider_id="anthropic",
                name="Anthropic",
                variable="ANTHROPIC_API_KEY",
                apis={"messages": messages},
            ),
            ProviderEntry(
                provider_id="openrouter",
                name="OpenRouter",
                variable="OPENROUTER_API_KEY",
                apis={"chat": openrouter},
            ),
            ProviderEntry(
                provider_id="local",
                name="Any server that speaks OpenAI's Chat Completions",
                variable="LOCAL_BASE_URL",
                apis={"chat": local},
            ),
            ProviderEntry(
                provider_id="demo",
                name="An offline model, to try the server with",
                variable=None,
                apis={"script": DemoModel()},
                models=("demo",),
            ),
        )
    )


# An SDK takes up to a second to import, so only those that are used are.


def _messages(key: str, url: str | None) -> _Closable:
    from turnlog.adapters.anthropic import AnthropicMessages

    return AnthropicMessages(key, url)


def _responses(key: str, url: str | None) -> _Closable:
    from turnlog.adapters.openai_responses import OpenAIResponses

    return OpenAIResponses(key, url)


def _chat(
    provider: Literal["openai", "openrouter", "local"], key: str | None, url: str | None
) -> _Closable:
    from turnlog.adapters.openai_chat import OpenAIChat

    return OpenAIChat(provider, key, url)
