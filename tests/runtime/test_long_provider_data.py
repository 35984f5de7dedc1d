"""What a provider gives with an item may be longer than an event, and still comes back."""

from __future__ import annotations

from uuid import UUID

import msgspec
import pytest

from tests.runtime.asking import WIRES, desk, say
from tests.runtime.given import Facts, Hammer
from tests.upstream import Call, Reply, Say, Think, seals
from turnlog.adapters.memory import MemoryBlobs
from turnlog.domain import events
from turnlog.domain.codec import MAX_STATE_BYTES
from turnlog.domain.errors import StoreUnavailable
from turnlog.domain.records import Blob
from turnlog.domain.values import ProviderData

LOOKS = Reply([Think("Two files."), Think("hidden", redacted=True), Say("I look."), Call("hammer")])
ANSWERS = Reply([Think("Now I know."), Say("Two.")])


@pytest.fixture(autouse=True)
def long_seals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seals, "NONCE_BYTES", MAX_STATE_BYTES)


def given(log: Facts) -> list[ProviderData]:
    """What the provider gave with its thoughts."""
    return [each.provider_data for each in log.all(events.ThinkingCompleted) if each.provider_data]


def assert_within_bounds(log: Facts) -> None:
    assert max(len(entry.state) for entry in log.entries) <= MAX_STATE_BYTES


@pytest.mark.parametrize("wire", WIRES)
async def test_it_is_kept_beside_the_log_and_given_back_whole(wire: str) -> None:
    async with desk() as at, at.node(Hammer(lambda *_: "done")) as node:
        at.upstream.replies(LOOKS, ANSWERS, Say("Welcome."))
        turn = await say(node, wire)
        log = await at.sees(node, turn, "turn.completed")
        assert_within_bounds(log)
        assert given(log)
        for data in given(log):
            assert data.content == {}
            blob = await node.parts.blobs.get(turn.conversation_id, data.blob or "")
            assert blob is not None
            assert (blob.media_type, len(blob.data)) == ("application/json", data.bytes)
            assert msgspec.json.decode(blob.data, type=dict)
        async with at.node() as other:
            later = await say(other, wire, "Thanks", turn.conversation_id)
            assert_within_bounds(await at.sees(other, later, "turn.completed"))
        assert at.upstream.violations == []
        assert all(len(str(asked.body)) > MAX_STATE_BYTES for asked in at.upstream.requests[1:])


@pytest.mark.parametrize("wire", WIRES)
async def test_what_is_gone_from_beside_the_log_is_left_out(wire: str) -> None:
    async with desk() as at, at.node() as node:
        at.upstream.replies(ANSWERS, Say("Welcome."))
        turn = await say(node, wire)
        await at.sees(node, turn, "turn.completed")
        at.blobs = MemoryBlobs()
        async with at.node() as other:
            later = await say(other, wire, "Thanks", turn.conversation_id)
            await at.sees(other, later, "turn.completed")
        assert at.upstream.violations == []


class Away(MemoryBlobs):
    """Not there when it is first asked."""

    def __init__(self) -> None:
        super().__init__()
        self.refused = 0

    async def put(self, conversation_id: UUID, blob: Blob) -> None:
        if not self.refused:
            self.refused += 1
            raise StoreUnavailable()
        await super().put(conversation_id, blob)


async def test_a_store_that_is_away_is_waited_for() -> None:
    async with desk() as at:
        at.blobs = away = Away()
        async with at.node() as node:
            at.upstream.replies(ANSWERS)
            log = await at.sees(node, await say(node, WIRES[0]), "turn.completed")
        assert away.refused == 1
        assert given(log)[0].blob is not None
