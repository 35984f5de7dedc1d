"""The one place where parts are chosen and joined."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from turnlog.adapters.embedded import embedded_postgres
from turnlog.adapters.memory import MemoryBlobs, MemoryHints, MemoryStore
from turnlog.adapters.memory_checkpoints import MemoryCheckpoints
from turnlog.adapters.memory_search import MemorySearch
from turnlog.adapters.memory_usage import MemoryUsage
from turnlog.adapters.memory_webhooks import MemoryWebhooks
from turnlog.adapters.postgres import (
    Postgres,
    SchemaRefused,
    UnknownLanguage,
    migrate,
    open_postgres,
)
from turnlog.adapters.processes import is_alive, this_process
from turnlog.adapters.webhook_sender import HttpWebhookSender
from turnlog.bootstrap.models import models
from turnlog.bootstrap.tools import tool_servers, tools
from turnlog.config import BadSettings, Settings
from turnlog.runtime.application import Parts, Turnlog

__all__ = ["SchemaRefused", "open_node"]


class SystemClock:
    """The machine's clock."""

    def now(self) -> int:
        return time.time_ns() // 1000


@asynccontextmanager
async def open_node(settings: Settings) -> AsyncIterator[Turnlog]:
    """A node, not yet at work, on the database that the settings name.

    Raises `StoreUnavailable` where there is none, `SchemaRefused` where it is not for
    this release, and `BadSettings` where something that they ask for cannot be had here.
    """
    async with AsyncExitStack() as stack:
        sender = HttpWebhookSender(private=settings.webhook_private_addresses)
        stack.push_async_callback(sender.close)
        parts: dict[str, Any] = {
            "clock": SystemClock(),
            "models": models(settings, stack),
            "tools": tools(settings),
            "webhook_sender": sender,
            "servers": tool_servers(settings, stack),
            "process": this_process(),
            "is_alive": is_alive,
            "stall_timeout": settings.stall_timeout,
            "text_interval": settings.text_interval,
            "action_timeout": settings.action_timeout,
            "node_timeout": settings.node_timeout,
        }
        if settings.ephemeral:
            memory = MemoryStore(settings.buckets)
            parts |= {"store": memory, "views": memory, "nodes": memory, "records": memory}
            parts |= {"blobs": MemoryBlobs(), "hints": MemoryHints()}
            parts |= {"webhooks": MemoryWebhooks(memory)}
            checkpoints = MemoryCheckpoints(memory)
            search = MemorySearch(memory, parts["blobs"], checkpoints)
            parts |= {"search": search, "search_texts": search}
            parts |= {"checkpoints": checkpoints, "generations": checkpoints}
            parts |= {"usage": MemoryUsage(memory, checkpoints), "inline_rows": memory}
        else:
            url = settings.database_url
            if url is None:
                url = await stack.enter_async_context(embedded_postgres(settings.data_dir))
            await migrate(url, buckets=settings.buckets, check_only=not settings.migrate)
            database = await stack.enter_async_context(_database(url, settings))
            parts |= {"store": database.store, "views": database.views}
            parts |= {"nodes": database.nodes, "records": database.records}
            parts |= {"blobs": database.blobs, "hints": database.hints}
            parts |= {"webhooks": database.webhooks}
            parts |= {"search": database.search, "search_texts": database.search_texts}
            parts |= {"checkpoints": database.checkpoints, "generations": database.generations}
            parts |= {"usage": database.usage, "inline_rows": database.inline_rows}
        yield Turnlog(Parts(**parts))


@asynccontextmanager
async def _database(url: str, settings: Settings) -> AsyncIterator[Postgres]:
    try:
        async with open_postgres(url, language=settings.search_language) as database:
            yield database
    except UnknownLanguage as unknown:
        raise BadSettings(
            [f"TURNLOG_SEARCH_LANGUAGE is '{settings.search_language}': {unknown}."]
        ) from None
