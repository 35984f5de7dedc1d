"""A server that fails is left alone for longer and longer."""

from __future__ import annotations

from tests.mcp.conftest import Clock
from turnlog.adapters.mcp.backoff import Backoff


def test_the_pause_is_doubled_from_the_second_failure_on_up_to_a_minute(clock: Clock) -> None:
    backoff = Backoff(clock)
    pauses = []
    for _ in range(9):
        backoff.failed()
        pauses.append(backoff.pause())
        clock.now += backoff.pause()
        assert backoff.pause() == 0
    assert pauses == [0, 1, 2, 4, 8, 16, 32, 60, 60]


def test_a_success_or_a_quiet_time_ends_it(clock: Clock) -> None:
    backoff = Backoff(clock)
    backoff.failed()
    backoff.failed()
    backoff.reset()
    backoff.failed()
    assert backoff.pause() == 0
    backoff.failed()
    clock.now += 3600
    backoff.failed()
    assert backoff.pause() == 0
