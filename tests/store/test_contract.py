"""What every store promises of the log: written once, held to by each adapter."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tests.store.conftest import Stores
from tests.store.given import Writer, feed_of, states_in, written
from turnlog.domain.records import Head


async def test_what_was_appended_is_read_back_byte_for_byte(stores: Stores) -> None:
    writer = Writer()
    states = (b"", b"\0", bytes(range(256)) * 1200, '{"type":"…","text":"\U0001f600"}'.encode())
    append = await written(stores.store, writer, *states, turn_id=writer.new_turn_id())

    entries = await stores.store.read(writer.conversation_id)

    assert entries == [replace(entry, hash=b"") for entry in append.entries]


async def test_the_head_says_where_the_log_ends(stores: Stores) -> None:
    writer = Writer(tenant_id="naïve & sons")
    await written(stores.store, writer, b"1", b"2")
    await written(stores.store, writer, b"3")

    assert await stores.store.head(writer.conversation_id) == writer.head
    assert writer.head.offset == 3


async def test_a_log_that_nobody_began_is_empty_and_has_no_head(stores: Stores) -> None:
    stranger = Writer()
    assert await stores.store.head(stranger.conversation_id) is None
    assert await stores.store.read(stranger.conversation_id) == []
    assert await stores.views.conversation(stranger.conversation_id) is None
    assert await stores.views.turn(stranger.new_turn_id()) is None


async def test_a_part_of_a_log_is_read_in_order(stores: Stores) -> None:
    writer = Writer()
    await written(stores.store, writer, *(b"%d" % n for n in range(1, 31)))

    async def offsets(**part: Any) -> list[int]:
        entries = await stores.store.read(writer.conversation_id, **part)
        return [entry.offset for entry in entries]

    assert await offsets() == list(range(1, 31))
    assert await offsets(after=28) == [29, 30]
    assert await offsets(until=2) == [1, 2]
    assert await offsets(after=5, until=9, limit=3) == [6, 7, 8]
    assert (
        await offsets(after=30) == await offsets(after=9, until=9) == await offsets(limit=0) == []
    )


async def test_the_ends_of_many_logs_are_read_at_once(stores: Stores) -> None:
    writers = [Writer(bucket) for bucket in (0, 0, 1, 2)]
    for writer in writers:
        await written(stores.store, writer, b"1", b"2", b"3")
    first, second, third, fourth = (writer.conversation_id for writer in writers)
    stranger = Writer().conversation_id
    asked = {first: 1, second: 3, third: 0, fourth: 2, stranger: 0}
    found = await stores.store.read_each(asked, limit=2)
    assert found == {
        first: await stores.store.read(first, after=1),
        third: await stores.store.read(third, limit=2),
        fourth: await stores.store.read(fourth, after=2),
    }
    assert await stores.store.read_each({}, limit=2) == {}


async def test_a_turn_is_read_alone_and_deltas_are_left_out(stores: Stores) -> None:
    writer = Writer()
    turn_id, other = writer.new_turn_id(), writer.new_turn_id()
    await written(stores.store, writer, b"created")
    await written(stores.store, writer, b"a", turn_id=turn_id)
    await written(stores.store, writer, b"b", turn_id=other)
    for kind in ("message.delta", "tool_call.output_delta", "tool_call.arguments_delta"):
        await written(stores.store, writer, b"c", turn_id=turn_id, topic=kind)
    await written(stores.store, writer, b"d", turn_id=turn_id, topic="message.delta.later")

    async def offsets(**wish: Any) -> list[int]:
        entries = await stores.store.read(writer.conversation_id, **wish)
        return [entry.offset for entry in entries]

    assert await offsets(turn_id=turn_id) == [2, 4, 5, 6, 7]
    assert await offsets(deltas=False) == [1, 2, 3, 7]
    assert await offsets(turn_id=turn_id, deltas=False) == [2, 7]
    assert await offsets(turn_id=turn_id, deltas=False, after=2, limit=1) == [7]
    assert await offsets(turn_id=writer.new_turn_id()) == []


async def test_a_loser_drops_out_whole_and_the_others_go_on(stores: Stores) -> None:
    first, loser, last, new = Writer(), Writer(), Writer(), Writer()
    for writer in (first, loser, last):
        await written(stores.store, writer, b"created", row=writer.row())
    winner, turn_id = loser.twin(), loser.new_turn_id()
    await written(stores.store, winner, b"won")

    late = loser.ready(
        b"lost", b"lost too", row=loser.row(status="running"), turns=[loser.turn(turn_id)]
    )
    batch = [first.ready(b"1", b"2"), late, new.ready(b"3", row=new.row()), last.ready(b"4")]
    assert await stores.store.append(0, batch) == [True, False, True, True]

    assert await states_in(stores.store, loser) == [b"created", b"won"]
    assert await stores.store.head(loser.conversation_id) == winner.head
    listed = await stores.views.conversation(loser.conversation_id)
    assert listed is not None
    assert (listed.row.status, listed.offset) == ("idle", 2)
    assert await stores.views.turn(turn_id) is None
    assert await stores.views.conversation(new.conversation_id) is not None
    feed = await feed_of(stores.store)
    assert [fed.position for fed in feed] == list(range(1, 9))
    assert [fed.entry.state for fed in feed[4:]] == [b"1", b"2", b"3", b"4"]
    assert (await stores.store.positions())[0] == 8


async def test_a_batch_of_losers_moves_nothing(stores: Stores) -> None:
    writer = Writer()
    stale = writer.twin()
    await written(stores.store, writer, b"created")
    assert await stores.store.append(0, [stale.ready(b"created otherwise")]) == [False]
    assert await stores.store.positions() == [1] + [0] * (stores.store.buckets - 1)
    assert await stores.store.head(writer.conversation_id) == writer.head


async def test_a_log_cannot_begin_in_the_middle(stores: Stores) -> None:
    writer = Writer()
    writer.ready(b"never sent")
    assert await stores.store.append(0, [writer.ready(b"second")]) == [False]
    assert await stores.store.head(writer.conversation_id) is None
    assert await feed_of(stores.store) == []


async def test_a_zombie_loses_its_first_batch_and_cannot_land_the_second(stores: Stores) -> None:
    writer = Writer()
    await written(stores.store, writer, b"created")
    zombie = writer.twin()
    in_flight = [zombie.ready(b"z2"), zombie.ready(b"z3"), zombie.ready(b"z4")]

    await written(stores.store, writer, b"2")
    assert await stores.store.append(0, in_flight[:1]) == [False]
    # The log ends where the second batch expects it, but not with what it follows.
    assert await stores.store.append(0, in_flight[1:2]) == [False]
    # The third would leave a hole.
    assert await stores.store.append(0, in_flight[2:]) == [False]

    assert await states_in(stores.store, writer) == [b"created", b"2"]


async def test_what_is_sent_twice_is_written_once_and_counts_as_written(stores: Stores) -> None:
    writer, other, turn_id = Writer(), Writer(), Writer().new_turn_id()
    creation = await written(stores.store, writer, b"1", row=writer.row(status="running"))
    second = await written(stores.store, writer, b"2", b"3", turns=[writer.turn(turn_id)])
    assert await stores.store.append(0, [second]) == [True]

    await written(stores.store, writer, b"4", row=writer.row(status="idle"))
    assert await stores.store.append(0, [second, other.ready(b"x")]) == [True, True]
    assert await stores.store.append(0, [creation]) == [True]

    assert await states_in(stores.store, writer) == [b"1", b"2", b"3", b"4"]
    assert await stores.store.head(writer.conversation_id) == writer.head
    listed = await stores.views.conversation(writer.conversation_id)
    assert listed is not None
    assert listed.row.status == "idle"
    assert [fed.position for fed in await feed_of(stores.store)] == [1, 2, 3, 4, 5]


async def test_each_bucket_numbers_its_own_feed(stores: Stores) -> None:
    here, there = Writer(bucket=2, tenant_id="ours"), Writer(bucket=5)
    await written(stores.store, here, b"1", b"2")
    await written(stores.store, there, b"3")
    await written(stores.store, here, b"4")

    assert [
        (fed.position, fed.conversation_id, fed.entry.offset, fed.entry.state)
        for fed in await feed_of(stores.store, 2)
    ] == [(1, here.conversation_id, 1, b"1"), (2, here.conversation_id, 2, b"2"),
          (3, here.conversation_id, 3, b"4")]  # fmt: skip
    assert await stores.store.positions() == [0, 0, 3, 0, 0, 1, 0, 0]
    assert {(fed.bucket, fed.tenant_id) for fed in await feed_of(stores.store, 2)} == {(2, "ours")}
    assert [fed.position for fed in await stores.store.feed(2, after=1, limit=1)] == [2]
    assert await stores.store.feed(2, after=3, limit=10) == []
    assert all(fed.entry.hash == b"" for fed in await feed_of(stores.store, 5))


async def test_a_caller_s_mistakes_are_refused_before_anything_is_written(stores: Stores) -> None:
    writer, elsewhere = Writer(), Writer(bucket=1)
    append = writer.ready(b"1")
    gap = replace(append, entries=(replace(append.entries[0], offset=2),))
    mistakes = [
        [append, append],
        [append, elsewhere.ready(b"2")],
        [gap],
        [replace(append, entries=())],
    ]
    for batch in mistakes:
        with pytest.raises(
            ValueError, match=str(writer.conversation_id)[:4] + "|may appear|not of"
        ):
            await stores.store.append(0, batch)
    assert await stores.store.append(0, []) == []
    assert await feed_of(stores.store) == []


async def test_a_head_is_known_with_its_secret_only_once(stores: Stores) -> None:
    """Whoever appends later may name any secret: the first one is the conversation's."""
    writer = Writer()
    await written(stores.store, writer, b"1")
    first = writer.head
    writer.head = replace(first, secret=b"")
    await written(stores.store, writer, b"2")
    head = await stores.store.head(writer.conversation_id)
    assert head == Head(
        offset=2, hash=writer.head.hash, secret=first.secret, tenant_id=first.tenant_id
    )
