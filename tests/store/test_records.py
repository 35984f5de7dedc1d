"""Answers that are given again: written with their events or not at all, once for each key."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.store.conftest import Stores
from tests.store.given import NOON, Writer, states_in, written
from turnlog.domain.records import AnswerRecord, Append


def record(key: bytes = b"key", answer: bytes = b"201") -> AnswerRecord:
    return AnswerRecord(key=key, fingerprint=b"body", answer=answer, at=NOON)


def recording(writer: Writer, state: bytes, *records: AnswerRecord) -> Append:
    return replace(writer.ready(state), records=records)


async def test_a_record_is_there_when_its_events_are(stores: Stores) -> None:
    writer = Writer()
    assert await stores.store.append(0, [recording(writer, b"1", record())]) == [True]
    assert await stores.records.get(0, b"key") == record()
    assert await stores.records.get(0, b"another") is None
    assert await stores.records.get(1, b"key") is None


async def test_an_append_whose_key_was_used_is_lost_whole_and_the_others_go_on(
    stores: Stores,
) -> None:
    first, second, neighbour = Writer(), Writer(), Writer()
    assert await stores.store.append(0, [recording(first, b"1", record())]) == [True]
    batch = [recording(second, b"2", record(answer=b"again")), neighbour.ready(b"3")]
    assert await stores.store.append(0, batch) == [False, True]
    assert await states_in(stores.store, second) == []
    assert await states_in(stores.store, neighbour) == [b"3"]
    assert await stores.records.get(0, b"key") == record()


async def test_the_same_append_again_counts_as_written(stores: Stores) -> None:
    append = recording(Writer(), b"1", record())
    assert await stores.store.append(0, [append]) == [True]
    assert await stores.store.append(0, [append]) == [True]


async def test_a_loser_leaves_no_record(stores: Stores) -> None:
    writer = Writer()
    loser = recording(writer.twin(), b"2", record())
    assert await stores.store.append(0, [writer.ready(b"1")]) == [True]
    assert await stores.store.append(0, [loser]) == [False]
    assert await stores.records.get(0, b"key") is None


async def test_an_append_may_bring_several_records(stores: Stores) -> None:
    append = recording(Writer(), b"1", record(b"a"), record(b"b"))
    assert await stores.store.append(0, [append]) == [True]
    assert await stores.records.get(0, b"b") == record(b"b")


async def test_an_answer_without_events_is_recorded_once(stores: Stores) -> None:
    assert await stores.records.put(0, record())
    assert not await stores.records.put(0, record(answer=b"again"))
    assert await stores.records.get(0, b"key") == record()
    assert await stores.store.append(0, [recording(Writer(), b"1", record())]) == [False]


async def test_old_records_are_forgotten_bucket_by_bucket(stores: Stores) -> None:
    young = replace(record(b"young"), at=NOON + 1)
    for one in (record(), young):
        await stores.records.put(0, one)
    await stores.records.put(1, record())
    await stores.records.forget(0, NOON + 1)
    assert await stores.records.get(0, b"key") is None
    assert await stores.records.get(0, b"young") == young
    assert await stores.records.get(1, b"key") == record()


async def test_of_two_that_come_together_under_one_key_the_first_counts(stores: Stores) -> None:
    first, second, third = Writer(), Writer(), Writer()
    stale = first.twin()
    await written(stores.store, first, b"0")
    batch = [
        recording(stale, b"lost", record(answer=b"stale")),
        recording(second, b"1", record()),
        recording(third, b"2", record(answer=b"again"), record(b"other")),
        first.ready(b"3"),
    ]
    assert await stores.store.append(0, batch[:3]) == [False, True, False]
    assert await stores.store.append(0, batch[3:]) == [True]
    assert await stores.records.get(0, b"key") == record()
    assert await stores.records.get(0, b"other") is None
    assert await states_in(stores.store, third) == []


async def test_a_key_used_twice_in_one_append_is_a_mistake(stores: Stores) -> None:
    append = recording(Writer(), b"1", record(), record(answer=b"again"))
    with pytest.raises(ValueError, match="twice"):
        await stores.store.append(0, [append])
