"""What every store promises of the inline projections and the blobs."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from msgspec.structs import replace

from tests.store.conftest import Stores
from tests.store.given import NOON, Writer, written
from turnlog.domain.records import Blob, Labels, Listed, ListQuery


async def listed(stores: Stores, **wish: Any) -> list[UUID]:
    query = replace(ListQuery(tenant_id="acme", limit=100), **wish)
    return [found.row.conversation_id for found in await stores.views.conversations(query)]


async def creation(stores: Stores, age: int = 0, *, tenant_id: str = "acme", **row: Any) -> UUID:
    """A conversation that is `age` microseconds old, in some bucket."""
    writer = Writer(bucket=age % 8, tenant_id=tenant_id)
    await written(stores.store, writer, b"1", row=writer.row(created_at=NOON - age, **row))
    return writer.conversation_id


async def test_a_listed_conversation_is_what_was_written_and_shows_its_offset(
    stores: Stores,
) -> None:
    writer = Writer()
    row = writer.row(
        updated_at=NOON + 7,
        status="requires_action",
        agent_role='a "role", \\ {with} \N{SNOWMAN}',
        tags=("", "b,c", 'd"e', "f\\g", "{}", "NULL", "\n", "b,c"),
        document=b'{"\0":"\xff"}',
    )
    await written(stores.store, writer, b"1", row=row)
    await written(stores.store, writer, b"2", b"3")

    expected = Listed(row=row, offset=3)
    assert await stores.views.conversation(writer.conversation_id) == expected
    assert await stores.views.conversations(ListQuery(tenant_id="acme", limit=1)) == [expected]


async def test_the_last_row_written_counts(stores: Stores) -> None:
    writer, turn_id = Writer(), Writer().new_turn_id()
    await written(
        stores.store, writer, b"1", row=writer.row(tags=("a",)), turns=[writer.turn(turn_id)]
    )
    row = writer.row(updated_at=NOON + 1, status="running", agent_role="r", tags=("b",))
    early = writer.turn(turn_id, first_offset=1, status="running")
    late = writer.turn(turn_id, first_offset=1, status="completed", last_offset=2)
    await written(stores.store, writer, b"2", row=row, turns=[early, late])

    assert await stores.views.conversation(writer.conversation_id) == Listed(row=row, offset=2)
    assert await stores.views.turn(turn_id) == late
    assert await listed(stores, tags=("a",)) == []
    assert await listed(stores, tags=("b",)) == [writer.conversation_id]


async def test_text_that_a_database_cannot_hold_fails_nobody(stores: Stores) -> None:
    writer, other = Writer(), Writer()
    odd = writer.row(agent_role="a\0b", tags=("\0", "\ud800"))
    appends = [writer.ready(b"1", row=odd), other.ready(b"1", row=other.row())]

    assert await stores.store.append(0, appends) == [True, True]
    assert await listed(stores, agent_role="a\0b", tags=("\0",)) == [writer.conversation_id]


async def test_the_list_is_newest_first_and_the_tenant_s_own(stores: Stores) -> None:
    middle, oldest, newest = [await creation(stores, age) for age in (20, 30, 10)]
    await creation(stores, 5, tenant_id="other")
    await creation(stores, 6, deleted=True)

    assert await listed(stores) == [newest, middle, oldest]
    assert await listed(stores, tenant_id="nobody") == []


async def test_a_deleted_conversation_leaves_the_list_and_can_still_be_asked_for(
    stores: Stores,
) -> None:
    writer = Writer()
    await written(stores.store, writer, b"1", row=writer.row())
    await written(stores.store, writer, b"2", row=writer.row(deleted=True))
    assert await listed(stores) == []
    found = await stores.views.conversation(writer.conversation_id)
    assert found is not None
    assert found.row.deleted


async def test_filters_must_all_match(stores: Stores) -> None:
    plain = await creation(stores, 1)
    tagged = await creation(stores, 2, tags=("a", "b"))
    role = await creation(stores, 3, tags=("b",), agent_role="critic")
    busy = await creation(stores, 4, tags=("a",), agent_role="critic", status="running")

    assert await listed(stores, tags=("a",)) == [tagged, busy]
    assert await listed(stores, tags=("b", "a")) == [tagged]
    assert await listed(stores, agent_role="critic") == [role, busy]
    assert await listed(stores, status="idle") == [plain, tagged, role]
    assert await listed(stores, status="running", agent_role="critic", tags=("a",)) == [busy]
    assert await listed(stores, status="running", before=(NOON - 4, busy)) == []
    assert await listed(stores, tags=("A",)) == await listed(stores, agent_role="") == []


async def test_pages_miss_and_repeat_nothing_while_conversations_come(stores: Stores) -> None:
    """Several of one moment, and newer ones that are written between the pages."""
    ages = [age // 3 for age in range(20)]
    ids = [await creation(stores, age) for age in ages]
    expected = [
        found
        for _, found in sorted(zip(ages, ids, strict=True), key=lambda it: (it[0], -it[1].int))
    ]

    seen: list[UUID] = []
    before = None
    while page := await stores.views.conversations(
        ListQuery(tenant_id="acme", limit=3, before=before)
    ):
        seen += [found.row.conversation_id for found in page]
        before = (page[-1].row.created_at, page[-1].row.conversation_id)
        await creation(stores, -len(seen))

    assert seen == expected


async def test_turns_are_paged_newest_first(stores: Stores) -> None:
    writer, stranger = Writer(), Writer()
    turns = []
    for _ in range(5):
        turns.append(writer.turn(writer.new_turn_id()))
        await written(stores.store, writer, b"1", b"2", turns=turns[-1:])
    await written(stores.store, stranger, b"1", turns=[stranger.turn(stranger.new_turn_id())])

    newest_first = turns[::-1]
    assert await stores.views.turns(writer.conversation_id, limit=9) == newest_first
    page = await stores.views.turns(writer.conversation_id, limit=2)
    assert page == newest_first[:2]
    before = page[-1].first_offset
    rest = await stores.views.turns(writer.conversation_id, limit=9, before=before)
    assert rest == newest_first[2:]


async def test_labels_are_those_of_now_and_of_deleted_conversations_too(stores: Stores) -> None:
    tagged = await creation(stores, 1, tags=("a", "b", "a"))
    hidden = await creation(stores, 2, deleted=True)
    nobody = Writer().conversation_id
    assert await stores.views.labels([tagged, hidden, nobody]) == {
        tagged: Labels(frozenset(("a", "b")), False),
        hidden: Labels(frozenset(), True),
    }


async def test_logs_say_where_they_end_if_they_are_there(stores: Stores) -> None:
    writer, elsewhere, nobody = Writer(), Writer(bucket=3), Writer()
    await written(stores.store, writer, b"1", b"2")
    await written(stores.store, elsewhere, b"1")
    asked = [one.conversation_id for one in (writer, elsewhere, nobody)]
    assert await stores.store.offsets(asked) == {asked[0]: 2, asked[1]: 1}


async def test_a_blob_is_kept_as_it_first_came_within_its_conversation(stores: Stores) -> None:
    owner, stranger = Writer().conversation_id, Writer().conversation_id
    blob = Blob(sha256="ab" * 32, media_type="image/png", data=bytes(range(256)) * 5000)
    await stores.blobs.put(owner, blob)
    await stores.blobs.put(owner, Blob(sha256=blob.sha256, media_type="text/plain", data=b""))

    assert await stores.blobs.get(owner, blob.sha256) == blob
    assert await stores.blobs.get(stranger, blob.sha256) is None
    assert await stores.blobs.get(owner, "no such\0blob") is None
