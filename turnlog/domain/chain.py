"""The hash chain of a log: whoever kept an old head can prove that nothing before it was changed.

    h(0) = SHA-256("turnlog/1" ‖ conversation id)
    h(n) = SHA-256(h(n-1) ‖ u64 offset ‖ i64 at ‖ u16 length of topic ‖ topic ‖ commitment)
    commitment = HMAC-SHA256(the conversation's secret, state)

Integers are big-endian, ids their sixteen bytes. The commitment hides the state
(RFC 2104), so that destroying the secret leaves a chain that still verifies.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from uuid import UUID

_GENESIS = b"turnlog/1"


def genesis(conversation_id: UUID) -> bytes:
    """The head of a conversation's empty log."""
    return hashlib.sha256(_GENESIS + conversation_id.bytes).digest()


def link(head: bytes, offset: int, at: int, topic: str, secret: bytes, state: bytes) -> bytes:
    """The head after one more event."""
    name = topic.encode()
    commitment = hmac.digest(secret, state, "sha256")
    fields = struct.pack(">QqH", offset, at, len(name))
    return hashlib.sha256(head + fields + name + commitment).digest()
