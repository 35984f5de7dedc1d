"""Webhooks in memory: the reference of what their keeper promises, for `--ephemeral` too."""

from __future__ import annotations

import time
from collections.abc import Callable
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from turnlog.domain.ports import EventStore
from turnlog.domain.webhooks import Webhook, WebhookPlace, WebhookStanding


class _Place(Struct):
    position: int
    node: str = ""
    leased_until: float = 0.0
    not_before: float = 0.0
    failures: int = 0
    failing_since: float | None = None
    last_error: str | None = None


class MemoryWebhooks:
    """`Webhooks`."""

    def __init__(self, store: EventStore, time: Callable[[], float] = time.time) -> None:
        """`time` in seconds since the epoch."""
        self._store = store
        self._time = time
        self._webhooks: dict[UUID, Webhook] = {}
        self._places: dict[tuple[int, UUID], _Place] = {}

    async def add(self, webhook: Webhook) -> None:
        self._webhooks[webhook.webhook_id] = webhook
        for bucket, position in enumerate(await self._store.positions()):
            self._places[bucket, webhook.webhook_id] = _Place(position)

    async def all(self, tenant_id: str) -> list[WebhookStanding]:
        heads = await self._store.positions()
        hooks = [hook for hook in self._webhooks.values() if hook.tenant_id == tenant_id]
        hooks.sort(key=lambda hook: (hook.created_at, hook.webhook_id))
        return [self._standing(hook, heads) for hook in hooks]

    def _standing(self, hook: Webhook, heads: list[int]) -> WebhookStanding:
        places = [self._places[bucket, hook.webhook_id] for bucket in range(len(heads))]
        failing = [place.failing_since for place in places if place.failing_since is not None]
        return WebhookStanding(
            webhook=hook,
            behind=sum(head - place.position for head, place in zip(heads, places, strict=True)),
            failing_since=int(min(failing) * 1_000_000) if failing else None,
            last_error=max((place.last_error or "" for place in places), default="") or None,
        )

    async def get(self, webhook_id: UUID) -> Webhook | None:
        return self._webhooks.get(webhook_id)

    async def remove(self, tenant_id: str, webhook_id: UUID) -> bool:
        hook = self._webhooks.get(webhook_id)
        if hook is None or hook.tenant_id != tenant_id:
            return False
        del self._webhooks[webhook_id]
        self._places = {key: it for key, it in self._places.items() if key[1] != webhook_id}
        return True

    async def disable(self, webhook_id: UUID, reason: str) -> None:
        if hook := self._webhooks.get(webhook_id):
            self._webhooks[webhook_id] = replace(hook, disabled=reason)

    async def resume(self, webhook_id: UUID) -> bool:
        hook = self._webhooks.get(webhook_id)
        if hook is None:
            return False
        self._webhooks[webhook_id] = replace(hook, disabled=None)
        for (_, owner), place in self._places.items():
            if owner == webhook_id:
                place.failures, place.failing_since, place.not_before = 0, None, 0.0
        return True

    async def due(self) -> list[int]:
        heads = await self._store.positions()
        return sorted({key[0] for key, place in self._places.items() if self._due(key, heads)})

    def _due(self, key: tuple[int, UUID], heads: list[int]) -> bool:
        place, now = self._places[key], self._time()
        return (
            place.position < heads[key[0]]
            and max(place.not_before, place.leased_until) <= now
            and self._webhooks[key[1]].disabled is None
        )

    async def claim(self, bucket: int, node: str, lease: float) -> list[WebhookPlace]:
        heads = await self._store.positions()
        claimed = []
        for key, place in self._places.items():
            if key[0] == bucket and self._due(key, heads):
                place.node, place.leased_until = node, self._time() + lease
                claimed.append(
                    WebhookPlace(
                        webhook=self._webhooks[key[1]],
                        bucket=bucket,
                        position=place.position,
                        failures=place.failures,
                    )
                )
        return claimed

    async def move(self, place: WebhookPlace, node: str, position: int, lease: float) -> bool:
        mine = self._mine(place, node)
        if mine is None:
            return False
        mine.position, mine.failures, mine.failing_since = position, 0, None
        mine.last_error, mine.leased_until = None, self._time() + lease
        return True

    async def fail(self, place: WebhookPlace, node: str, error: str, pause: float) -> float:
        mine, now = self._mine(place, node), self._time()
        if mine is None:
            return 0.0
        mine.failures += 1
        mine.failing_since = now if mine.failing_since is None else mine.failing_since
        mine.not_before, mine.leased_until, mine.last_error = now + pause, 0.0, error
        return now - mine.failing_since

    async def release(self, place: WebhookPlace, node: str) -> None:
        if mine := self._mine(place, node):
            mine.leased_until = 0.0

    def _mine(self, place: WebhookPlace, node: str) -> _Place | None:
        mine = self._places.get((place.bucket, place.webhook.webhook_id))
        return mine if mine is not None and mine.node == node else None
