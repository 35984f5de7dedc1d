"""Facts from the log as folds want them: without deltas, and with every text whole."""

from __future__ import annotations

from uuid import UUID

from msgspec.structs import replace

from turnlog.domain import events
from turnlog.domain.codec import DELTA_TOPICS, decode
from turnlog.domain.events import Fact
from turnlog.domain.ports import EventStore
from turnlog.domain.records import Entry

Facts = list[tuple[int, Fact]]


async def read_facts(
    store: EventStore,
    conversation_id: UUID,
    *,
    after: int = 0,
    until: int | None = None,
    turn_id: UUID | None = None,
) -> Facts:
    """The facts with their offsets, those of later releases left out.

    A text that was too long for its event is put together again from its deltas.
    """
    entries = await store.read(
        conversation_id, after=after, until=until, turn_id=turn_id, deltas=False
    )
    facts: Facts = []
    for entry in entries:
        fact = decode(entry.topic, entry.state)
        if fact is None:
            continue
        if getattr(fact, "truncated", False):
            fact = await _whole(store, conversation_id, entry, fact)
        facts.append((entry.offset, fact))
    return facts


async def _whole(store: EventStore, conversation_id: UUID, entry: Entry, fact: Fact) -> Fact:
    match fact:
        case events.ThinkingCompleted() | events.MessageCompleted():
            return replace(fact, text=await _deltas(store, conversation_id, entry, fact.item))
        case events.ToolCallRequested():
            return replace(fact, arguments=await _deltas(store, conversation_id, entry, fact.item))
        case events.ToolCallCompleted():
            topic = "tool_call.output_delta"
            output = await _deltas(store, conversation_id, entry, fact.item, topic)
            return replace(fact, output=output)
        case _:
            return fact


async def _deltas(
    store: EventStore,
    conversation_id: UUID,
    ending: Entry,
    item: int,
    only: str | None = None,
) -> str:
    topics = {only} if only else DELTA_TOPICS - {"tool_call.output_delta"}
    entries = await store.read(conversation_id, after=item, until=ending.offset)
    texts = []
    for entry in entries:
        if entry.topic in topics:
            delta = decode(entry.topic, entry.state)
            if isinstance(delta, events.Delta) and delta.item == item:
                texts.append(delta.delta)
    return "".join(texts)
