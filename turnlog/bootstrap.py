"""The one place where parts are chosen and joined."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Literal, Protocol

from turnlog.adapters.demo import DemoModel
from turnlog.adapters.embedded import embedded_postgres
from turnlog.adapters.memory import MemoryBlobs, MemoryHints, MemoryStore
from turnlog.adapters.memory_checkpoints import MemoryCheckpoints
from turnlog.adapters.memory_usage import MemoryUsage
from turnlog.adapters.postgres import SchemaRefused, migrate, open_postgres
from turnlog.adapters.processes import is_alive, this_process
from turnlog.adapters.tools import reading_tools
from turnlog.config import Settings
from turnlog.domain.ports import ModelProvider, Tool
from turnlog.runtime.application import Parts, Turnlog
from turnlog.runtime.models import Models, ProviderEntry

__all__ = ["SchemaRefused", "open_node"]

OPENROUTER_URL = "https://openrouter.ai/api/v1"


class SystemClock:
    """The machine's clock."""

    def now(self) -> int:
        return time.time_ns() // 1000


@asynccontextmanager
async def open_node(settings: Settings) -> AsyncIterator[Turnlog]:
    """A node, not yet at work, on the database that the settings name.

    Raises `StoreUnavailable` where there is none, and `SchemaRefused` where it is
    not for this release.
    """
    async with AsyncExitStack() as stack:
        parts: dict[str, Any] = {
            "clock": SystemClock(),
            "models": _models(settings, stack),
            "tools": _tools(settings),
            "process": this_process(),
            "is_alive": is_alive,
            "stall_timeout": settings.stall_timeout,
            "node_timeout": settings.node_timeout,
        }
        if settings.ephemeral:
            memory = MemoryStore(settings.buckets)
            parts |= {"store": memory, "views": memory, "nodes": memory, "records": memory}
            parts |= {"blobs": MemoryBlobs(), "hints": MemoryHints()}
            checkpoints = MemoryCheckpoints(memory)
            parts |= {"checkpoints": checkpoints, "generations": checkpoints}
            parts |= {"usage": MemoryUsage(memory, checkpoints), "inline_rows": memory}
        else:
            url = settings.database_url
            if url is None:
                url = await stack.enter_async_context(embedded_postgres(settings.data_dir))
            await migrate(url, buckets=settings.buckets, check_only=not settings.migrate)
            database = await stack.enter_async_context(open_postgres(url))
            parts |= {"store": database.store, "views": database.views}
            parts |= {"nodes": database.nodes, "records": database.records}
            parts |= {"blobs": database.blobs, "hints": database.hints}
            parts |= {"checkpoints": database.checkpoints, "generations": database.generations}
            parts |= {"usage": database.usage, "inline_rows": database.inline_rows}
        yield Turnlog(Parts(**parts))


class _Closable(ModelProvider, Protocol):
    async def close(self) -> None: ...


def _tools(settings: Settings) -> dict[str, Tool]:
    if settings.workspace is None:
        return {}
    return {tool.spec.name: tool for tool in reading_tools(settings.workspace)}


def _models(settings: Settings, stack: AsyncExitStack) -> Models:
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
