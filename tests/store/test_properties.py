"""Random batches against a plain list of events."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Struct

from tests.store.conftest import Stores
from tests.store.given import Writer, feed_of
from turnlog.domain.records import Append, Head


class Move(Struct, frozen=True):
    """To which log, at which head ever heard of (0 is the newest), and how many events.

    `again` sends an append that was sent before instead, if there is one.
    """

    log: int
    back: int
    events: int
    again: bool


moves = st.builds(
    Move, st.integers(0, 2), st.integers(0, 3), st.integers(1, 3), st.sampled_from([0, 0, 1])
)
batches = st.lists(st.lists(moves, min_size=1, max_size=3, unique_by=lambda it: it.log), max_size=8)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(batches=batches)
async def test_a_store_is_a_list_of_what_followed_its_head(
    stores: Stores, batches: list[list[Move]]
) -> None:
    store = stores.store
    writers = [Writer() for _ in range(3)]
    heads = [[writer.head] for writer in writers]
    sent: list[list[Append]] = [[] for _ in writers]
    ends: list[Head] = [writer.head for writer in writers]
    landed: list[Append] = []
    began = (await store.positions())[0]

    for batch in batches:
        appends = []
        for move in batch:
            writer, known = writers[move.log], heads[move.log]
            writer.head = known[-1 - move.back % len(known)]
            append = writer.ready(*(b"%d" % len(sent[move.log]) for _ in range(move.events)))
            if move.again and sent[move.log]:
                append = sent[move.log][-1 - move.back % len(sent[move.log])]
            else:
                known.append(writer.head)
            sent[move.log].append(append)
            appends.append(append)

        expected = []
        for move, append in zip(batch, appends, strict=True):
            wins = append.head == ends[move.log]
            expected.append(wins or append in landed)
            if wins:
                landed.append(append)
                last = append.entries[-1]
                writers[move.log].head = ends[move.log] = Head(
                    offset=last.offset,
                    hash=last.hash,
                    secret=append.head.secret,
                    tenant_id=append.head.tenant_id,
                )
        assert await store.append(0, appends) == expected

    for writer, end in zip(writers, ends, strict=True):
        mine = [append for append in landed if append.conversation_id == writer.conversation_id]
        log = await store.read(writer.conversation_id)
        assert [entry.offset for entry in log] == list(range(1, end.offset + 1))
        assert [entry.state for entry in log] == [e.state for a in mine for e in a.entries]
        assert await store.head(writer.conversation_id) == (end if mine else None)
    feed = (await feed_of(store))[began:]
    assert [fed.position for fed in feed] == list(range(began + 1, began + len(feed) + 1))
    assert [(fed.conversation_id, fed.entry.offset) for fed in feed] == [
        (append.conversation_id, entry.offset) for append in landed for entry in append.entries
    ]
