"""The log as pages and as NDJSON: the stored object with its place put in front, undecoded."""

from __future__ import annotations

from uuid import UUID

from turnlog.domain.records import Entry
from turnlog.domain.values import timestamp


def line(entry: Entry, conversation_id: UUID | None = None) -> bytes:
    """One event, without a line end; `conversation_id` where one stream carries many.

    All events but the deltas (of later releases too) carry `at` in what is stored;
    `conversation.created` carries its conversation's id.
    """
    place = f'{{"offset":{entry.offset},'
    if conversation_id is not None and entry.topic != "conversation.created":
        place += f'"conversationId":"{conversation_id}",'
    if entry.topic.endswith("delta"):
        place += f'"at":"{timestamp(entry.at)}",'
    return place.encode() + entry.state[1:]
