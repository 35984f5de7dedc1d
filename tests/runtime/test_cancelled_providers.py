"""A turn that is asked to stop hangs up on its provider, wherever it was, within a second."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.runtime.asking import DELTAS, PARTS, PATIENCE, WIRES, Desk, assert_whole, desk, say
from tests.runtime.given import Facts, Hammer
from tests.upstream import Call, Fail, NeverAnswer, Reply, Say
from turnlog.domain import events
from turnlog.runtime.application import Submitted, Turnlog

OBEYED_SECONDS = 1.0
CHARACTERS_A_TOKEN = 4  # where the provider did not say


@pytest.fixture
async def at() -> AsyncIterator[Desk]:
    async with desk() as at:
        yield at


@pytest.fixture
async def node(at: Desk) -> AsyncIterator[Turnlog]:
    async with at.node(Hammer(lambda *_: "done")) as node:
        yield node


@pytest.fixture(params=WIRES)
def wire(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def characters(log: Facts) -> int:
    """How much the model has said, thought and written."""
    deltas = [*log.all(events.ThinkingDelta), *log.all(events.MessageDelta)]
    return sum(len(each.delta) for each in [*deltas, *log.all(events.ToolCallArgumentsDelta)])


async def cancelled(at: Desk, node: Turnlog, turn: Submitted) -> Facts:
    """The turn's events, once it was asked to stop and has."""
    async with asyncio.timeout(OBEYED_SECONDS):
        await node.cancel(await at.row(turn), by="alice", reason="enough")
        await at.upstream.until(lambda up: not up.answering)
        log = await at.sees(node, turn, "turn.cancelled")
    assert log.topics[-1] == "turn.cancelled"
    end = log.only(events.TurnCancelled)
    assert (end.by, end.reason) == ("alice", "enough")
    assert_whole(log)
    return log


async def assert_goes_on(at: Desk, node: Turnlog, wire: str, turn: Submitted) -> None:
    """What was said before is still a history that the provider accepts."""
    at.upstream.gate = None
    at.upstream.replies(Say("Welcome back."))
    later = await say(node, wire, "Where were we?", turn.conversation_id)
    await at.sees(node, later, "turn.completed")
    assert at.upstream.violations == []


@pytest.mark.parametrize("delta", range(DELTAS + 1))
async def test_a_cancel_hangs_up_in_the_middle_of_whatever_was_said(
    delta: int, at: Desk, node: Turnlog, wire: str
) -> None:
    gate = at.upstream.hold(delta)
    at.upstream.replies(Reply(PARTS))
    turn = await say(node, wire)
    await gate.reached.wait()
    log = await cancelled(at, node, turn)
    assert len(at.upstream.hangups) == 1
    usage = log.only(events.TurnCancelled).usage
    assert usage.input_tokens > 0
    assert usage.output_tokens * CHARACTERS_A_TOKEN >= characters(log)
    await assert_goes_on(at, node, wire, turn)


async def test_a_cancel_hangs_up_before_the_provider_has_answered(
    at: Desk, node: Turnlog, wire: str
) -> None:
    at.upstream.replies(NeverAnswer())
    turn = await say(node, wire)
    await at.upstream.until(lambda up: up.answering == 1)
    await cancelled(at, node, turn)
    assert len(at.upstream.hangups) == 1
    await assert_goes_on(at, node, wire, turn)


async def test_a_cancel_ends_a_pause_before_the_next_try(
    at: Desk, node: Turnlog, wire: str
) -> None:
    at.upstream.replies(Fail(429, retry_after=60))
    at.pauses.endless = True
    turn = await say(node, wire)
    await at.pauses.begun.wait()
    await cancelled(at, node, turn)
    assert len(at.upstream.requests) == 1
    await assert_goes_on(at, node, wire, turn)


async def test_a_cancel_stops_the_tools_that_run(at: Desk, wire: str) -> None:
    at_work, stopped = asyncio.Semaphore(0), asyncio.Semaphore(0)

    async def hammering() -> None:
        at_work.release()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.release()

    at.upstream.replies([Say("Let me."), Call("hammer"), Call("hammer")])
    async with at.node(Hammer(lambda *_: hammering())) as node:
        turn = await say(node, wire)
        await at_work.acquire()
        await at_work.acquire()
        log = await cancelled(at, node, turn)
        await stopped.acquire()
        await stopped.acquire()
        results = log.all(events.ToolCallCompleted)
        assert [result.status for result in results] == ["cancelled", "cancelled"]
        await assert_goes_on(at, node, wire, turn)


async def test_a_cancel_through_another_node_is_obeyed_by_the_one_that_runs_the_turn(
    at: Desk, node: Turnlog, wire: str
) -> None:
    gate = at.upstream.hold(4)
    at.upstream.replies(Reply(PARTS))
    async with at.node() as other:
        turn = await say(node, wire)
        await gate.reached.wait()
        log = await cancelled(at, other, turn)
        assert len(at.upstream.hangups) == 1
        assert [event.node for event in log.all(events.TurnStarted)] == [node.node]
        await assert_goes_on(at, other, wire, turn)


async def test_a_message_that_interrupts_hangs_up_and_is_answered(
    at: Desk, node: Turnlog, wire: str
) -> None:
    gate = at.upstream.hold(4)
    at.upstream.replies(Reply(PARTS), Say("At once."))
    turn = await say(node, wire)
    await gate.reached.wait()
    at.upstream.gate = None
    async with asyncio.timeout(PATIENCE):
        later = await say(node, wire, "Stop!", turn.conversation_id, on_busy="interrupt")
        await at.upstream.until(lambda up: len(up.hangups) == 1)
        await at.sees(node, later, "turn.completed")
    assert_whole(await at.sees(node, turn, "turn.cancelled"))
    assert at.upstream.violations == []
