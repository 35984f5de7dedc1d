"""Ids: the layout of RFC 9562, the order of time, and the bucket in the last byte."""

from __future__ import annotations

from uuid import RFC_4122, UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from turnlog.domain.identity import bucket_of, turn_id_in, uuid7

moments = st.integers(0, (1 << 48) * 1000 - 2)  # so that one more fits into 48 bits
randomness = st.binary(min_size=8, max_size=16)
last_bytes = st.integers(0, 255)
quick = settings(deadline=None)


def test_the_layout_is_that_of_rfc_9562() -> None:
    """The example of its appendix A.6, but for the part of a millisecond: a half is 0x800."""
    randomness = bytes.fromhex("18c4dc0c0c07398f")
    made = uuid7(0x017F22E279B0 * 1000 + 500, randomness)
    assert str(made) == "017f22e2-79b0-7800-98c4-dc0c0c07398f"


@given(moments, randomness, st.none() | last_bytes)
@quick
def test_version_variant_and_time_stand_where_they_belong(
    at: int, noise: bytes, last_byte: int | None
) -> None:
    made = uuid7(at, noise, last_byte)
    assert made.version == 7
    assert made.variant == RFC_4122
    assert made.int >> 80 == at // 1000
    assert (made.int >> 64) & 0xFFF == at % 1000 * 4096 // 1000


@given(moments, randomness)
@quick
def test_the_noise_is_all_that_follows_the_variant(at: int, noise: bytes) -> None:
    assert uuid7(at, noise).int & ((1 << 62) - 1) == int.from_bytes(noise[:8]) & ((1 << 62) - 1)


@given(moments, moments, randomness, randomness)
@quick
def test_ids_sort_by_time_to_the_microsecond(
    one: int, other: int, noise: bytes, other_noise: bytes
) -> None:
    if one != other:
        ids = [(one, uuid7(one, noise)), (other, uuid7(other, other_noise))]
        assert sorted(ids) == sorted(ids, key=lambda pair: pair[1])


@given(moments, randomness, randomness)
@quick
def test_ids_of_neighbouring_microseconds_sort_too(at: int, noise: bytes, later: bytes) -> None:
    assert uuid7(at, noise) < uuid7(at + 1, later)
    assert str(uuid7(at, noise)) < str(uuid7(at + 1, later))


@given(moments, randomness, last_bytes)
@quick
def test_the_last_byte_can_be_chosen_and_nothing_else_changes(
    at: int, noise: bytes, last_byte: int
) -> None:
    chosen = uuid7(at, noise, last_byte)
    assert chosen.bytes[-1] == last_byte
    assert chosen.bytes[:-1] == uuid7(at, noise).bytes[:-1]


@given(moments, moments, randomness, randomness, st.integers(1, 256))
@quick
def test_a_turn_lives_in_the_bucket_of_its_conversation(
    at: int, later: int, noise: bytes, other_noise: bytes, buckets: int
) -> None:
    conversation = uuid7(at, noise)
    turn = turn_id_in(conversation, later, other_noise)
    assert turn.version == 7
    assert bucket_of(turn, buckets) == bucket_of(conversation, buckets)


def test_the_buckets_share_the_last_bytes_evenly() -> None:
    buckets = [bucket_of(UUID(int=byte), 8) for byte in range(256)]
    assert {bucket: buckets.count(bucket) for bucket in buckets} == dict.fromkeys(range(8), 32)
