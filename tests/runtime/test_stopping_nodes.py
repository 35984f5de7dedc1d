"""A node that stops is still heard of, takes nothing more, and leaves what it runs to others."""

from __future__ import annotations

from tests.runtime.asking import PATIENCE, WIRES, Desk, desk, say
from turnlog.adapters.processes import this_process
from turnlog.domain import events
from turnlog.domain.records import TurnRow
from turnlog.runtime.ownership import Ownership


def ownership(at: Desk, node: str, taken: list[TurnRow]) -> Ownership:
    """The node's, which does nothing with what it takes over but to note it."""

    async def take(turn: TurnRow) -> None:
        taken.append(turn)

    return Ownership(
        node,
        at.store,
        buckets=at.store.buckets,
        process=this_process(),
        is_alive=lambda process: True,
        running=list,
        attend=lambda turn: True,
        take_over=take,
        timeout=PATIENCE,
        time=lambda: 0.0,
    )


async def test_a_node_that_retires_is_heard_of_and_takes_nothing_over() -> None:
    async with desk() as at:
        gate = at.upstream.hold()
        async with at.node() as owner:
            turn = await say(owner, WIRES[0])
            await gate.reached.wait()
        taken: list[TurnRow] = []
        retired = ownership(at, "retired", taken)
        retired.retire()
        await retired.tick()
        assert taken == []
        heir = ownership(at, "heir", taken)
        assert await heir.others() == 1
        await heir.tick()
        assert [row.turn_id for row in taken] == [turn.turn_id]


async def test_a_turn_that_is_left_goes_to_a_node_that_stays() -> None:
    async with desk() as at:
        gate = at.upstream.hold()
        async with at.node(node_timeout=0.1) as heir:
            async with at.node() as leaving:
                turn = await say(leaving, WIRES[0])
                await gate.reached.wait()
            gate.open()
            log = await at.sees(heir, turn, "turn.completed")
        assert log.only(events.TurnResumed).node == heir.node
