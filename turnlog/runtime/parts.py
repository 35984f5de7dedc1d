"""What the application is made of."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from msgspec import Struct

from turnlog.domain.ports import (
    BlobStore,
    Clock,
    EventStore,
    Hints,
    Nodes,
    Records,
    Tool,
    ToolServer,
    Views,
)
from turnlog.domain.projecting import Checkpoints, Generations, InlineRows, UsageTable
from turnlog.domain.records import Process
from turnlog.domain.search import Search, SearchTexts
from turnlog.domain.webhooks import Webhooks, WebhookSender
from turnlog.runtime.models import Models


class Parts(Struct, frozen=True, kw_only=True):
    """What the application is made of. Times in seconds.

    `process` is this one, and `is_alive` tells of others on the same machine. What a
    failed step waits before it is tried again, it waits by `sleep`.
    """

    store: EventStore
    views: Views
    inline_rows: InlineRows
    blobs: BlobStore
    nodes: Nodes
    records: Records
    checkpoints: Checkpoints
    generations: Generations
    usage: UsageTable
    hints: Hints
    search: Search
    search_texts: SearchTexts
    webhooks: Webhooks
    webhook_sender: WebhookSender
    clock: Clock
    models: Models
    tools: Mapping[str, Tool]
    servers: Mapping[str, ToolServer] = {}
    process: Process
    is_alive: Callable[[int], bool]
    stall_timeout: float = 120.0
    text_interval: float = 0.0
    node_timeout: float = 5.0
    turn_timeout: float = 3600.0
    action_timeout: float = 7 * 86_400.0
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
