"""What a provider gave with an item: where it is too long for an event, it is kept beside the log.

Encrypted reasoning and signatures have no bound of their own; an event has.
"""

from __future__ import annotations

import asyncio
from uuid import UUID

import msgspec
import structlog
from msgspec.structs import replace

from turnlog.domain.codec import MAX_STATE_BYTES, escape_line_ends
from turnlog.domain.errors import StoreUnavailable
from turnlog.domain.identity import blob_of
from turnlog.domain.model import ItemCompleted
from turnlog.domain.ports import BlobStore
from turnlog.domain.values import BlobRef
from turnlog.runtime.actor import STORE_RETRY_SECONDS

MAX_GIVEN_BYTES = MAX_STATE_BYTES // 2
MEDIA_TYPE = "application/json"

log = structlog.get_logger(__name__)


async def kept(item: ItemCompleted, blobs: BlobStore, conversation_id: UUID) -> ItemCompleted:
    """The item as its event can hold it. A store that is away is waited for."""
    if item.provider_data is None:
        return item
    data = msgspec.json.encode(item.provider_data)
    if len(escape_line_ends(data)) <= MAX_GIVEN_BYTES:
        return item
    blob = blob_of(MEDIA_TYPE, data)
    while True:
        try:
            await blobs.put(conversation_id, blob)
            break
        except StoreUnavailable:
            log.warning("turn.store_unavailable")
            await asyncio.sleep(STORE_RETRY_SECONDS)
    return replace(item, provider_data=BlobRef(blob=blob.sha256, bytes=len(data)))
