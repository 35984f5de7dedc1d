"""Server-sent events as bytes: one `data:` line, LF only, an id only for what is in the log."""

from __future__ import annotations

from typing import Any

import msgspec

from turnlog.domain.codec import escape_line_ends
from turnlog.domain.records import Entry

KEEPALIVE = b":keepalive\n\n"
RETRY = b"retry: 3000\n"  # in front of a stream's first frame, never alone


def frame(cursor: str, event: str, data: bytes) -> bytes:
    """One event of the log; `data` is JSON on one line."""
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (cursor.encode(), event.encode(), data)


def stored(entry: Entry) -> bytes:
    """One event of a conversation's log, as it is stored."""
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (
        entry.offset,
        entry.topic.encode(),
        entry.state,
    )


def frame_without_id(event: str, data: bytes) -> bytes:
    """A part of an event that has more frames; the last of them carries the id."""
    return b"event: %b\ndata: %b\n\n" % (event.encode(), data)


def encoded(payload: Any) -> bytes:
    """A payload as JSON that every reader takes for one line."""
    return escape_line_ends(msgspec.json.encode(payload))


def unavailable(reason: str) -> bytes:
    """The whole stream that cannot be served just now; a browser comes back by itself."""
    payload = {"type": "stream.unavailable", "reason": reason}
    return RETRY + frame_without_id("stream.unavailable", encoded(payload))
