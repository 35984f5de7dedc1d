"""A provider in trouble: its turn is tried again, or ends and says why; nothing is left open."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.runtime.asking import DELTAS, PARTS, WIRES, Desk, assert_whole, desk, said, say
from tests.runtime.given import Facts, Hammer
from tests.upstream import (
    Call,
    Cut,
    ErrorEvent,
    Fail,
    Failed,
    NeverAnswer,
    PingsOnly,
    Reply,
    Say,
    Silence,
    Usage,
)
from turnlog.domain import events
from turnlog.runtime.application import Turnlog
from turnlog.runtime.retries import LONGEST_PAUSE_SECONDS, MAX_TRIES

IMPATIENT = 0.3  # seconds


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


def error(log: Facts) -> events.TurnFailed:
    assert log.topics[-1] == "turn.failed"
    return log.only(events.TurnFailed)


@pytest.mark.parametrize(
    ("fault", "reason", "seconds"),
    [
        (Fail(429, retry_after=7), "rate_limited", 7),
        (Fail(429, retry_after=LONGEST_PAUSE_SECONDS), "rate_limited", LONGEST_PAUSE_SECONDS),
        (Fail(429), "rate_limited", 0),
        (Fail(503, retry_after=2.5), "overloaded", 2.5),
        (Fail(529), "overloaded", 0),
        (Fail(500), "provider_error", 0),
    ],
)
async def test_a_refusal_that_passes_is_tried_again_after_the_pause_that_was_asked_for(
    fault: Fail, reason: str, seconds: float, at: Desk, node: Turnlog, wire: str
) -> None:
    at.upstream.replies(fault, Say("Here I am."))
    turn = await say(node, wire)
    log = await at.sees(node, turn, "turn.completed")
    retrying = log.only(events.TurnRetrying)
    assert (retrying.reason, retrying.retry) == (reason, 1)
    assert at.pauses.taken[0] >= seconds
    assert retrying.delay_ms == int(at.pauses.taken[0] * 1000)
    assert said(log) == "Here I am."
    assert "attempt.superseded" not in log.topics


async def test_a_pause_that_nobody_would_wait_for_ends_the_turn(at: Desk, node: Turnlog) -> None:
    at.upstream.replies(Fail(429, retry_after=LONGEST_PAUSE_SECONDS + 1, message="Come back later"))
    log = await at.sees(node, await say(node, WIRES[0]), "turn.failed")
    assert error(log).error.code == "rate_limited"
    assert error(log).error.message == "Come back later"
    assert error(log).error.retryable
    assert at.pauses.taken == []


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fail(400, message="prompt is too long: 9 tokens > 8 maximum"), "context_too_long"),
        (Fail(401, message="Who are you?"), "authentication"),
        (Fail(400, message="No such thing"), "invalid_request"),
    ],
)
async def test_a_failure_that_will_not_pass_is_told_and_not_tried_again(
    fault: Fail, code: str, at: Desk, node: Turnlog, wire: str
) -> None:
    at.upstream.replies(fault)
    log = await at.sees(node, await say(node, wire), "turn.failed")
    assert error(log).error.code == code
    assert error(log).error.message == fault.message
    assert not error(log).error.retryable
    assert error(log).error.provider == wire.partition("/")[0]
    assert len(at.upstream.requests) == 1


async def test_a_bad_key_is_not_tried_twice_and_not_told(wire: str) -> None:
    async with desk(key="bad-key") as at, at.node() as node:
        log = await at.sees(node, await say(node, wire), "turn.failed")
        assert error(log).error.code == "authentication"
        assert len(at.upstream.requests) == 1
        assert not any(b"bad-key" in entry.state for entry in log.entries)


async def test_after_so_many_tries_the_turn_fails_in_the_providers_words(
    at: Desk, node: Turnlog, wire: str
) -> None:
    at.upstream.replies(*[Fail(529, message=f"No. {number}") for number in range(MAX_TRIES)])
    log = await at.sees(node, await say(node, wire), "turn.failed")
    assert error(log).error.code == "overloaded"
    assert error(log).error.message == f"No. {MAX_TRIES - 1}"
    assert error(log).error.retryable
    assert [told.retry for told in log.all(events.TurnRetrying)] == list(range(1, MAX_TRIES))


@pytest.mark.parametrize("after", [0, 1, 4, 6, DELTAS])
@pytest.mark.parametrize(
    "fault", [Cut(), Cut(how="reset"), Cut(how="end"), ErrorEvent(), Failed()], ids=repr
)
async def test_what_was_cut_off_is_void_and_the_history_stays_legal(
    fault: Any, after: int, at: Desk, node: Turnlog, wire: str
) -> None:
    fault = type(fault)(after, how=fault.how) if isinstance(fault, Cut) else type(fault)(after)
    at.upstream.replies(Reply(PARTS, fault=fault), Reply(PARTS), Say("It is in."))
    turn = await say(node, wire)
    log = await at.sees(node, turn, "turn.completed")
    assert said(log) == "It is in."
    assert_whole(log)
    assert log.topics.count("turn.retrying") == 1
    first_step = log.entries[log.topics.index("step.started")]
    assert [void.from_offset for void in log.all(events.AttemptSuperseded)] == [first_step.offset]
    later = await say(node, wire, "Thank you", turn.conversation_id)
    await at.sees(node, later, "turn.completed")
    assert at.upstream.violations == []
    _, repeated, _, last = [str(asked.body) for asked in at.upstream.requests]
    assert "I will" not in repeated
    assert last.count("I will look.") == 1


async def test_the_calls_of_a_step_that_failed_do_not_run(at: Desk, wire: str) -> None:
    runs: list[str] = []
    hammer = Hammer(lambda arguments, _: runs.append(arguments["nail"]))
    first = Reply([Call("hammer", {"nail": "first"})], fault=Cut(99))
    at.upstream.replies(first, Call("hammer", {"nail": "second"}), Say("Done."))
    async with at.node(hammer) as node:
        log = await at.sees(node, await say(node, wire), "turn.completed")
    assert runs == ["second"]
    assert_whole(log)


@pytest.mark.parametrize(
    "fault", [NeverAnswer(), Silence(0), Silence(4), PingsOnly(0), PingsOnly(4)], ids=repr
)
async def test_a_model_that_says_nothing_is_left_and_asked_again(
    fault: Any, at: Desk, wire: str
) -> None:
    silent = fault if isinstance(fault, NeverAnswer) else Reply(PARTS, fault=fault)
    at.upstream.replies(silent, Say("Here I am."))
    async with at.node(stall_timeout=IMPATIENT) as node:
        log = await at.sees(node, await say(node, wire), "turn.completed")
    assert log.all(events.TurnRetrying)[0].reason == "stalled"
    assert said(log) == "Here I am."
    assert len(at.upstream.hangups) == 1
    assert_whole(log)


@pytest.mark.parametrize("fault", [Silence(2), PingsOnly(2)], ids=repr)
async def test_a_model_that_never_says_more_fails_the_turn(fault: Any, at: Desk, wire: str) -> None:
    at.upstream.replies(*[Reply(PARTS, fault=fault) for _ in range(MAX_TRIES)])
    async with at.node(stall_timeout=IMPATIENT) as node:
        log = await at.sees(node, await say(node, wire), "turn.failed")
    assert error(log).error.code == "stalled"
    assert log.topics.count("turn.retrying") == MAX_TRIES - 1
    assert len(at.upstream.hangups) == MAX_TRIES
    assert_whole(log)


async def test_a_turn_that_was_only_paused_goes_on(at: Desk, node: Turnlog) -> None:
    at.upstream.replies(Reply([Say("First this.")], stop="pause_turn"), Say("Then that."))
    turn = await say(node, "anthropic/messages")
    log = await at.sees(node, turn, "turn.completed")
    assert [step.stop_reason for step in log.all(events.StepCompleted)] == [
        "pause_turn",
        "end_turn",
    ]
    assert said(log) == "Then that."
    assert at.upstream.requests[1].body["messages"][-1]["role"] == "assistant"
    assert at.upstream.violations == []


async def test_a_turn_that_takes_too_long_fails_and_hangs_up(at: Desk, wire: str) -> None:
    at.upstream.hold(4)
    at.upstream.replies(Reply(PARTS))
    async with at.node(turn_timeout=IMPATIENT) as node:
        log = await at.sees(node, await say(node, wire), "turn.failed")
        assert error(log).error.code == "deadline_exceeded"
        assert_whole(log)
        await at.upstream.until(lambda up: bool(up.hangups))


async def test_a_pause_counts_towards_the_time_that_a_turn_may_take(at: Desk) -> None:
    at.upstream.replies(Fail(529))
    at.pauses.endless = True
    async with at.node(turn_timeout=IMPATIENT) as node:
        log = await at.sees(node, await say(node, WIRES[0]), "turn.failed")
    assert error(log).error.code == "deadline_exceeded"


async def test_what_failed_tries_cost_is_counted(at: Desk, node: Turnlog, wire: str) -> None:
    tries = [Reply([Say("word " * 40)], fault=Cut(30), usage=Usage(100, 50)) for _ in range(2)]
    at.upstream.replies(*tries, Reply([Say("Done.")], usage=Usage(100, 5)))
    log = await at.sees(node, await say(node, wire), "turn.completed")
    spent = [void.usage for void in log.all(events.AttemptSuperseded)]
    assert all(usage is not None and usage.output_tokens >= 45 for usage in spent)
    total = log.only(events.TurnCompleted).usage
    steps = [step.usage for step in log.all(events.StepCompleted)]
    assert [step.output_tokens for step in steps] == [5]
    assert total.output_tokens == 5 + sum(usage.output_tokens for usage in spent if usage)
    assert total.input_tokens == 100 + sum(usage.input_tokens for usage in spent if usage)
    assert total.estimated


async def test_what_the_last_try_cost_is_counted_too(at: Desk, node: Turnlog, wire: str) -> None:
    tries = [Reply([Say("word " * 40)], fault=Cut(30)) for _ in range(MAX_TRIES)]
    at.upstream.replies(*tries)
    log = await at.sees(node, await say(node, wire), "turn.failed")
    assert error(log).usage.output_tokens >= MAX_TRIES * 45
