"""The hash chain, computed again from its formula."""

from __future__ import annotations

import hashlib
import hmac
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from turnlog.domain.chain import genesis, link

CONVERSATION = UUID("019b76da-a800-7000-8000-0000000000c0")
SECRET = bytes(range(32))
AT = 1_767_225_600_000_000
CREATED = b'{"type":"conversation.created"}'
DELTA = '{"type":"message.delta","item":5,"delta":"é"}'.encode()


def test_a_chain_can_be_computed_by_hand() -> None:
    first = hashlib.sha256(b"turnlog/1" + bytes.fromhex("019b76daa80070008000" + "0000000000c0"))
    second = hashlib.sha256(
        first.digest()
        + (1).to_bytes(8)
        + AT.to_bytes(8, signed=True)
        + (20).to_bytes(2)
        + b"conversation.created"
        + hmac.new(SECRET, CREATED, hashlib.sha256).digest()
    )
    third = hashlib.sha256(
        second.digest()
        + (2).to_bytes(8)
        + (-1).to_bytes(8, signed=True)
        + (13).to_bytes(2)
        + b"message.delta"
        + hmac.new(SECRET, DELTA, hashlib.sha256).digest()
    )
    head = genesis(CONVERSATION)
    assert head == first.digest()
    head = link(head, 1, AT, "conversation.created", SECRET, CREATED)
    assert head == second.digest()
    head = link(head, 2, -1, "message.delta", SECRET, DELTA)
    assert head == third.digest()


def test_the_formula_never_changes() -> None:
    """Heads that were kept are compared with for ever: this one was computed once."""
    head = link(genesis(CONVERSATION), 1, AT, "conversation.created", SECRET, CREATED)
    assert head.hex() == "59c7a44282d9c9981af509c15b5586c506e4a4c105102f8f36518a66505bf5ee"


_bytes = st.binary(min_size=1, max_size=64)
_flips = st.integers(0, 7)


def _flipped(value: bytes, place: int, bit: int) -> bytes:
    changed = bytearray(value)
    changed[place % len(value)] ^= 1 << bit
    return bytes(changed)


@given(_bytes, _bytes, _bytes, st.integers(0, 2**63), st.integers(0, 63), _flips)
@settings(deadline=None)
def test_any_flipped_bit_changes_the_head(
    head: bytes, secret: bytes, state: bytes, offset: int, place: int, bit: int
) -> None:
    topic = "message.delta"
    kept = link(head, offset, AT, topic, secret, state)
    other_topic = _flipped(topic.encode(), place, bit % 7).decode()
    assert len(kept) == 32
    assert kept != link(_flipped(head, place, bit), offset, AT, topic, secret, state)
    assert kept != link(head, offset ^ (1 << place), AT, topic, secret, state)
    assert kept != link(head, offset, AT ^ (1 << (place % 62)), topic, secret, state)
    assert kept != link(head, offset, AT, other_topic, secret, state)
    assert kept != link(head, offset, AT, topic, _flipped(secret, place, bit), state)
    assert kept != link(head, offset, AT, topic, secret, _flipped(state, place, bit))


def test_each_conversation_has_a_chain_of_its_own() -> None:
    assert genesis(CONVERSATION) != genesis(UUID(int=CONVERSATION.int ^ 1))


def test_neither_length_nor_border_can_be_shifted() -> None:
    head = genesis(CONVERSATION)
    assert link(head, 1, AT, "a", SECRET, b"bc") != link(head, 1, AT, "ab", SECRET, b"c")
    assert link(head, 1, AT, "a", SECRET, b"") != link(head, 1, AT, "a", SECRET, b"\0")
