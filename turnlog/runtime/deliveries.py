"""Sending events to webhooks: at least once each, and in order for each conversation.

One node sends for a webhook in a bucket at a time, one message after the other, from a
place that is kept. A receiver that fails is tried again, ever more slowly, at the same
message; what comes meanwhile waits in the log. One that has failed for days, or that
says that it is gone, is disabled until somebody resumes it; then it goes on from there.
"""

from __future__ import annotations

import asyncio
import random

import structlog

from turnlog.domain.errors import DeliveryFailed, StoreUnavailable
from turnlog.domain.ports import EventStore
from turnlog.domain.records import FedEntry
from turnlog.domain.values import timestamp
from turnlog.domain.webhooks import WebhookPlace, Webhooks, WebhookSender
from turnlog.projections import filters, pages

POLL_SECONDS = 1.0
LEASE_SECONDS = 60.0
BATCH = 200
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 3600.0
PATIENCE_SECONDS = 3 * 86_400.0

log = structlog.get_logger(__name__)


class Deliveries:
    """What this node sends."""

    def __init__(
        self, webhooks: Webhooks, sender: WebhookSender, store: EventStore, node: str
    ) -> None:
        self._webhooks = webhooks
        self._sender = sender
        self._store = store
        self._node = node
        self._sending: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Send until cancelled; what is given up then, others may take at once."""
        try:
            while True:
                try:
                    await self.look()
                except StoreUnavailable:
                    log.warning("deliveries.store_unavailable")
                except Exception:
                    log.exception("deliveries.failed")
                await asyncio.sleep(POLL_SECONDS)
        finally:
            for task in self._sending:
                task.cancel()
            await asyncio.gather(*self._sending, return_exceptions=True)

    async def look(self) -> None:
        """Begin to send what nobody is sending."""
        for bucket in await self._webhooks.due():
            for place in await self._webhooks.claim(bucket, self._node, LEASE_SECONDS):
                task = asyncio.create_task(self._send(place))
                self._sending.add(task)
                task.add_done_callback(self._sending.discard)

    async def settle(self) -> None:
        """Wait until nothing is being sent."""
        while self._sending:
            await asyncio.wait(self._sending)

    async def _send(self, place: WebhookPlace) -> None:
        """Send from the place on until nothing is left, it fails, or the place is another's."""
        hook = place.webhook
        with structlog.contextvars.bound_contextvars(webhook_id=str(hook.webhook_id)):
            try:
                await self._send_on(place)
            except DeliveryFailed as failure:
                await self._failed(place, failure)
            except StoreUnavailable:
                log.warning("deliveries.store_unavailable")
            except asyncio.CancelledError:
                await self._give_up(place)
                raise
            except Exception:
                log.exception("deliveries.failed")

    async def _send_on(self, place: WebhookPlace) -> None:
        position, wanted = place.position, filters.parse(",".join(place.webhook.types))
        while batch := await self._store.feed(place.bucket, after=position, limit=BATCH):
            for fed in batch:
                if fed.tenant_id == place.webhook.tenant_id and wanted.want(fed.entry.topic):
                    await self._sender.send(place.webhook, message_id(fed), message(fed))
                    if not await self._moved(place, fed.position):
                        return
            position = batch[-1].position
            if not await self._moved(place, position):
                return
        await self._webhooks.release(place, self._node)

    async def _moved(self, place: WebhookPlace, position: int) -> bool:
        return await self._webhooks.move(place, self._node, position, LEASE_SECONDS)

    async def _failed(self, place: WebhookPlace, failure: DeliveryFailed) -> None:
        # It failed more often than it knew when it was claimed only if it moved since then,
        # and then a short pause is right.
        pause = pause_after(place.failures, failure.retry_after)
        failing = await self._webhooks.fail(place, self._node, str(failure), pause)
        log.info("deliveries.refused", reason=str(failure), pause=round(pause, 1))
        if failure.for_good or failing > PATIENCE_SECONDS:
            reason = f"{failure} It failed for {failing / 3600:.0f} h."
            await self._webhooks.disable(
                place.webhook.webhook_id, str(failure) if failure.for_good else reason
            )
            log.warning("deliveries.disabled")

    async def _give_up(self, place: WebhookPlace) -> None:
        try:
            await self._webhooks.release(place, self._node)
        except StoreUnavailable:
            log.warning("deliveries.store_unavailable")


def message_id(fed: FedEntry) -> str:
    """The same at every try, for receivers to know a message again."""
    return f"evt_{fed.conversation_id.hex}_{fed.entry.offset}"


def message(fed: FedEntry) -> bytes:
    """The body: type, timestamp, and as data the event as `GET /events` has it."""
    line = pages.line(fed.entry, fed.conversation_id)
    at = timestamp(fed.entry.at)
    return f'{{"type":"{fed.entry.topic}","timestamp":"{at}","data":'.encode() + line + b"}"


def pause_after(failures: int, asked: float | None) -> float:
    """Seconds until the next try, after so many failures before this one."""
    backoff = min(FIRST_PAUSE_SECONDS * float(2 ** min(failures, 20)), LONGEST_PAUSE_SECONDS)
    asked = min(asked or 0.0, LONGEST_PAUSE_SECONDS)
    return max(asked, backoff * random.uniform(0.75, 1.25))
