"""Ids: UUIDv7 (RFC 9562), whose last byte says in which bucket a thing lives; blobs' SHA-256."""

from __future__ import annotations

import hashlib
from uuid import UUID

from turnlog.domain.records import Blob


def uuid7(at: int, randomness: bytes, last_byte: int | None = None) -> UUID:
    """The UUIDv7 of a moment (`at`, microseconds since the epoch).

    The twelve bits after the version carry the part of the millisecond (RFC 9562,
    6.2, method 3), so that ids of one process sort by time within a millisecond.
    `randomness` is at least eight bytes; `last_byte` replaces the id's last one.
    """
    milliseconds, rest = divmod(at, 1000)
    value = milliseconds << 80
    value |= 0x7 << 76
    value |= (rest * 4096 // 1000) << 64
    value |= 0b10 << 62
    value |= int.from_bytes(randomness[:8]) & ((1 << 62) - 1)
    if last_byte is not None:
        value = (value & ~0xFF) | last_byte
    return UUID(int=value)


def turn_id_in(conversation_id: UUID, at: int, randomness: bytes) -> UUID:
    """A new turn's id; it ends with its conversation's last byte, so either finds the bucket."""
    return uuid7(at, randomness, last_byte=conversation_id.bytes[-1])


def bucket_of(an_id: UUID, buckets: int) -> int:
    """The bucket of a conversation, or of a turn of it."""
    return an_id.bytes[-1] % buckets


def blob_of(media_type: str, data: bytes) -> Blob:
    """Bytes under their SHA-256."""
    return Blob(sha256=hashlib.sha256(data).hexdigest(), media_type=media_type, data=data)
