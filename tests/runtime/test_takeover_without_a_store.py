"""A takeover that the store cannot record yet is no fault of the node's: it is tried again."""

from __future__ import annotations

from structlog.testing import capture_logs

from tests.runtime.asking import WIRES, desk, say
from tests.runtime.disk import Disk
from turnlog.domain import events


async def test_a_turn_is_taken_over_once_the_store_is_back_and_nobody_is_alarmed() -> None:
    disk = Disk()
    async with desk(disk) as at:
        gate = at.upstream.hold()
        async with at.node() as owner:
            turn = await say(owner, WIRES[0])
            await gate.reached.wait()
        gate.open()
        disk.away = True
        with capture_logs() as told:
            async with at.node(node_timeout=0.1) as heir:
                disk.away = False
                log = await at.sees(heir, turn, "turn.completed")
    assert log.only(events.TurnResumed).node == heir.node
    assert {"turn.waits_for_the_store", "turn.taken_over"} <= {each["event"] for each in told}
    assert [each for each in told if each["log_level"] == "error"] == []
