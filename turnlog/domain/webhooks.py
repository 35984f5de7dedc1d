"""Webhooks: where events are sent, how far each has come, and the promises of who keeps that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from msgspec import Struct


class Webhook(Struct, frozen=True, kw_only=True):
    """An address that events are sent to.

    `types` are names of events, or beginnings with `*`. `secret` signs what is sent.
    `disabled` says why nothing is sent any more.
    """

    webhook_id: UUID
    tenant_id: str
    url: str
    types: tuple[str, ...]
    secret: str
    created_at: int
    disabled: str | None = None


class WebhookPlace(Struct, frozen=True, kw_only=True):
    """How far a webhook has come in one bucket: all up to `position` was received.

    `failures` counts the tries since then.
    """

    webhook: Webhook
    bucket: int
    position: int
    failures: int = 0


class WebhookStanding(Struct, frozen=True, kw_only=True):
    """A webhook as its owner sees it.

    `behind` counts the events, wanted or not, that it has not come by yet; `failing_since`
    (µs) is when the delivery that fails now first did, with `last_error`.
    """

    webhook: Webhook
    behind: int
    failing_since: int | None = None
    last_error: str | None = None


class Webhooks(Protocol):
    """The webhooks and their places. Times are the store's. May raise `StoreUnavailable`."""

    async def add(self, webhook: Webhook) -> None:
        """Keep it. It begins with what is appended from now on."""

    async def all(self, tenant_id: str) -> list[WebhookStanding]:
        """Those of a tenant, oldest first."""

    async def get(self, webhook_id: UUID) -> Webhook | None:
        """One of them."""

    async def remove(self, tenant_id: str, webhook_id: UUID) -> bool:
        """Forget it; False if the tenant has no such webhook."""

    async def disable(self, webhook_id: UUID, reason: str) -> None:
        """Send nothing more until it is resumed; what comes meanwhile is not lost."""

    async def resume(self, webhook_id: UUID) -> bool:
        """Send again, from where it stands, and at once; False if there is no such webhook."""

    async def due(self) -> list[int]:
        """The buckets in which there may be something to send that nobody is sending."""

    async def claim(self, bucket: int, node: str, lease: float) -> list[WebhookPlace]:
        """Take the places of a bucket that nobody has, for `lease` seconds."""

    async def move(self, place: WebhookPlace, node: str, position: int, lease: float) -> bool:
        """All up to the position was received; the lease begins anew. False: it is lost."""

    async def fail(self, place: WebhookPlace, node: str, error: str, pause: float) -> float:
        """A try has failed; give the place up for `pause` seconds. For how long it fails now."""

    async def release(self, place: WebhookPlace, node: str) -> None:
        """Give the place up, for anyone to take."""


class WebhookSender(Protocol):
    """Sends to addresses of strangers."""

    async def send(self, webhook: Webhook, message_id: str, body: bytes) -> None:
        """Deliver one message, signed; returns when it was received. Raises `DeliveryFailed`."""


DEFAULT_TYPES: Sequence[str] = (
    "turn.completed",
    "turn.failed",
    "turn.cancelled",
    "turn.requires_action",
)
