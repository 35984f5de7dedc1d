"""A runner with a defect of ours: its turn ends all the same."""

from __future__ import annotations

import pytest

from tests.runtime.asking import WIRES, desk, said, say
from tests.upstream import Say
from turnlog.domain import events
from turnlog.domain.takeover import MAX_FRUITLESS
from turnlog.runtime.turn import TurnRunner


async def test_a_turn_whose_runner_crashes_is_tried_by_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = TurnRunner.run
    crashes = [RuntimeError("a defect")]

    async def crash(runner: TurnRunner) -> None:
        if crashes:
            raise crashes.pop()
        await run(runner)

    monkeypatch.setattr(TurnRunner, "run", crash)
    async with desk() as at, at.node(node_timeout=0.1) as node:
        at.upstream.replies(Say("Here I am."))
        log = await at.sees(node, await say(node, WIRES[0]), "turn.completed")
    assert said(log) == "Here I am."
    assert log.only(events.TurnResumed).attempt == 2


async def test_a_turn_whose_runners_all_crash_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    async def crash(runner: TurnRunner) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(TurnRunner, "run", crash)
    async with desk() as at, at.node(node_timeout=0.1) as node:
        log = await at.sees(node, await say(node, WIRES[0]), "turn.failed")
    assert len(log.all(events.TurnResumed)) == MAX_FRUITLESS
    assert log.only(events.TurnFailed).error.code == "too_many_attempts"
