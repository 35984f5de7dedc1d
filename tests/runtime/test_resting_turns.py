"""Turns that rest cost nothing, and go on with an answer: given to any node, at any time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.domain import ask
from tests.runtime.disk import Disk
from tests.runtime.given import Facts, Hammer, Node, Reader, at_work
from tests.runtime.model import calls, finishes, says
from tests.runtime.waiting import PATIENCE, everything_else, until
from turnlog.adapters.memory import MemoryHints
from turnlog.domain import events
from turnlog.domain.commands import CallDecision
from turnlog.domain.errors import CallNotOpen, InvalidInput, NodeStopping, StoreUnavailable
from turnlog.domain.model import ToolAnswered
from turnlog.domain.records import TurnRow
from turnlog.domain.values import BuiltinTool, FunctionTool, Verdict
from turnlog.runtime import actor as actors
from turnlog.runtime import actors as warmth
from turnlog.runtime import calls as running
from turnlog.runtime.application import Submitted
from turnlog.runtime.turn import TurnRunner

WEATHER = FunctionTool(name="weather")
CAREFUL = BuiltinTool(name="hammer", approval="always")
ASKED = FunctionTool(name="weather", approval="always")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that is away is asked again at once."""
    monkeypatch.setattr(actors, "STORE_RETRY_SECONDS", 0)


class Talk:
    """A conversation in which a message was said; answers may be given to any node."""

    def __init__(self, node: Node, turn: Submitted, reader: Reader) -> None:
        self.node = node
        self.turn = turn
        self.reader = reader

    async def rests(self, times: int = 1) -> TurnRow:
        """Wait until the turn has come to rest, so often."""
        await self.reached("turn.requires_action", times)
        return await self.node.row(self.turn)

    async def reached(self, topic: str, times: int = 1) -> Facts:
        """The log once it has so many events of the type, whoever has been shown them."""
        for _ in range(5000):
            if (log := await self.log()).topics.count(topic) >= times:
                return log
            await asyncio.sleep(0)
        raise AssertionError(f"it never had {times} {topic}")

    async def ended(self, how: str = "turn.completed") -> Facts:
        await self.reader.sees(f"event: {how}\n")
        return await self.log()

    async def log(self) -> Facts:
        return await self.node.log(self.turn.conversation_id)

    async def calls(self) -> list[str]:
        """The ids of the turn's calls, in their order."""
        return [call.call_id for call in (await self.log()).all(events.ToolCallRequested)]

    async def provide(
        self, call: int = 0, output: str = "12 °C", at: Node | None = None
    ) -> TurnRow:
        """The result of the turn's call of that number."""
        given = ask.result((await self.calls())[call], output)
        node = at or self.node
        return await node.turnlog.provide(await node.row(self.turn), [given])

    async def decide(
        self, *numbers: int, verdict: Verdict = "allow", at: Node | None = None, **more: Any
    ) -> TurnRow:
        """The same decision on each of these calls."""
        ids = await self.calls()
        decisions = [
            CallDecision(call_id=ids[number], verdict=verdict, **more) for number in numbers
        ]
        node = at or self.node
        return await node.turnlog.decide_calls(await node.row(self.turn), decisions, "alice")


async def talk_on(node: Node, *tools: Any) -> Talk:
    conversation_id = await node.conversation(tools=tools)
    reader = await node.follow(conversation_id)
    return Talk(node, await node.say(conversation_id), reader)


def node_that_calls(*names: str, tools: Any = (), **options: Any) -> Node:
    """A node whose model calls these tools at once, and then says that it is done."""
    node = Node(options.pop("disk", None), *tools, **options)
    made = [part for number, name in enumerate(names) for part in calls(name, number=number)]
    node.model.answer(0).gives(made, finishes("tool_use"))
    node.model.answer(1).gives(says("Done."), finishes())
    return node


def told(node: Node, request: int = 1) -> list[str]:
    """What the model was told of its calls."""
    items = node.model.requests[request].items
    return [item.output for item in items if isinstance(item, ToolAnswered)]


class Bench:
    """A tool whose every run waits for the test; `begun` are the arguments of each."""

    def __init__(self, name: str = "hammer") -> None:
        self.tool = Hammer(self._run, name)
        self.begun: list[dict[str, Any]] = []
        self.go = asyncio.Semaphore(0)
        self._news = asyncio.Event()

    async def begins(self, times: int = 1) -> None:
        """Wait until it was started so often."""
        async with asyncio.timeout(PATIENCE):
            while len(self.begun) < times:
                self._news.clear()
                await self._news.wait()

    async def _run(self, arguments: dict[str, Any], _: Any) -> str:
        self.begun.append(arguments)
        self._news.set()
        await self.go.acquire()
        return f"{self.tool.spec.name} is done"


def hammer_that_notes(struck: list[Any]) -> Hammer:
    """A tool that keeps the arguments of its runs."""

    def strike(arguments: dict[str, Any], _: Any) -> str:
        struck.append(arguments)
        return "struck"

    return Hammer(strike)


# ------------------------------------------------------------------------ at rest


async def test_a_turn_rests_for_its_caller_and_goes_on_with_the_result() -> None:
    node = node_that_calls("weather")
    async with at_work(node):
        talk = await talk_on(node, WEATHER)
        row = await talk.rests()
        assert (row.status, row.node) == ("requires_action", None)
        assert row.expires_at is not None
        row = await talk.provide()
        assert (row.status, row.attempt, row.expires_at) == ("running", 2, None)
        log = await talk.ended()
    assert told(node) == ["12 °C"]
    assert log.topics.count("tool_call.completed") == 1
    assert log.only(events.ToolCallRequested).runs_on == "client"


async def test_a_turn_that_rests_has_no_runner_and_no_task() -> None:
    node = node_that_calls("weather", "hammer", tools=[Hammer(lambda *_: "struck")])
    async with at_work(node):
        conversation_id = await node.conversation(tools=(WEATHER, "hammer"))
        reader = await node.follow(conversation_id)
        await everything_else()
        before = asyncio.all_tasks()
        talk = Talk(node, await node.say(conversation_id), reader)
        await talk.rests()
        await until(lambda: node.turnlog.turns_running == 0)
        await everything_else()
        assert asyncio.all_tasks() == before
    assert not node.turnlog._actors._runs


async def test_a_node_that_stops_does_not_wait_for_turns_that_rest() -> None:
    node = node_that_calls("weather")
    async with asyncio.timeout(PATIENCE), node.turnlog.running(drain_seconds=1000 * PATIENCE):
        talk = await talk_on(node, WEATHER)
        await talk.rests()
    row = await node.row(talk.turn)
    assert (row.status, row.node) == ("requires_action", None)
    with pytest.raises(NodeStopping):
        await talk.provide()
    with pytest.raises(NodeStopping):
        await talk.decide(0)


async def test_a_node_that_knows_nothing_of_it_can_wake_a_turn() -> None:
    """As after a restart, days later."""
    node = node_that_calls("weather", "hammer", tools=[Hammer(lambda *_: "struck")])
    async with at_work(node):
        talk = await talk_on(node, WEATHER, CAREFUL)
        await talk.rests()
    later = Node(node.disk, Hammer(lambda *_: "struck later"))
    later.model.answer(0).gives(says("Done."), finishes())
    async with at_work(later):
        talk.reader = await later.follow(talk.turn.conversation_id)
        assert (await talk.decide(1, at=later)).status == "running"
        await talk.rests(2)
        await talk.provide(0, at=later)
        log = await talk.ended()
    assert told(later, 0) == ["12 °C", "struck later"]
    assert [fact.attempt for fact in log.all(events.TurnResumed)] == [2, 3]
    assert {fact.node for fact in log.all(events.TurnResumed)} == {later.turnlog.node}


async def test_an_actor_that_was_let_go_is_loaded_for_the_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(warmth, "MAX_WARM", 1)
    struck: list[Any] = []
    node = Node(None, hammer_that_notes(struck))
    long = '{"text": "' + "x" * 400_000 + '"}'
    node.model.answer(0).gives(calls("hammer", long), finishes("tool_use"))
    node.model.answer(1).gives(says("Done."), finishes())
    async with at_work(node):
        talk = await talk_on(node, CAREFUL)
        await talk.rests()
        await until(lambda: node.turnlog.turns_running == 0)
        for _ in range(3):
            await node.conversation()
        assert talk.turn.conversation_id not in node.turnlog._actors._warm
        await talk.decide(0)
        log = await talk.ended()
    assert log.only(events.ToolCallRequested).truncated
    assert struck == [{"text": "x" * 400_000}]


# -------------------------------------------------------- while something still runs


async def test_what_is_allowed_while_another_call_runs_starts_at_once() -> None:
    saw, hammer = Bench("saw"), Bench()
    node = node_that_calls("saw", "hammer", tools=[saw.tool, hammer.tool])
    async with at_work(node):
        talk = await talk_on(node, "saw", CAREFUL)
        await saw.begins()
        await everything_else()
        assert hammer.begun == []
        assert (await talk.decide(1)).status == "running"
        await hammer.begins()
        hammer.go.release()
        await talk.reader.sees("hammer is done")
        saw.go.release()
        log = await talk.ended()
    assert "turn.requires_action" not in log.topics
    assert log.all(events.TurnResumed) == []
    assert told(node) == ["saw is done", "hammer is done"]


async def test_also_if_another_node_was_told() -> None:
    disk, hints = Disk(), MemoryHints()
    saw, hammer = Bench("saw"), Bench()
    tools = [saw.tool, hammer.tool]
    here = node_that_calls("saw", "hammer", tools=tools, disk=disk, hints=hints)
    there = Node(disk, *tools, hints=hints)
    async with at_work(here, there):
        talk = await talk_on(here, "saw", CAREFUL)
        await saw.begins()
        await talk.decide(1, at=there)
        await hammer.begins()
        saw.go.release()
        hammer.go.release()
        log = await talk.ended()
        assert there.turnlog.turns_running == 0
    assert log.all(events.TurnResumed) == []
    assert len(hammer.begun) == 1


async def test_a_result_that_comes_early_is_taken_and_the_turn_does_not_rest_for_it() -> None:
    saw = Bench("saw")
    node = node_that_calls("saw", "weather", tools=[saw.tool])
    async with at_work(node):
        talk = await talk_on(node, "saw", WEATHER)
        await saw.begins()
        assert (await talk.provide(1)).status == "running"
        await everything_else()
        assert len(node.model.requests) == 1
        saw.go.release()
        log = await talk.ended()
    assert "turn.requires_action" not in log.topics
    assert told(node) == ["saw is done", "12 °C"]


async def test_a_result_that_comes_before_the_step_is_whole_is_taken() -> None:
    node = Node()
    node.model.answer(0).gives(calls("weather"))
    node.model.answer(1).gives(says("Done."), finishes())
    async with at_work(node):
        talk = await talk_on(node, WEATHER)
        await talk.reader.sees("tool_call.requested")
        await talk.provide()
        node.model.answer(0).gives(finishes("tool_use"))
        log = await talk.ended()
    assert log.topics.index("tool_call.completed") < log.topics.index("step.completed")
    assert told(node) == ["12 °C"]


async def test_what_is_denied_while_another_call_runs_never_starts() -> None:
    saw, hammer = Bench("saw"), Bench()
    node = node_that_calls("saw", "hammer", tools=[saw.tool, hammer.tool])
    async with at_work(node):
        talk = await talk_on(node, "saw", CAREFUL)
        await saw.begins()
        await talk.decide(1, verdict="deny", reason="too loud")
        saw.go.release()
        await talk.ended()
    assert hammer.begun == []
    assert "denied" in told(node)[1]
    assert "too loud" in told(node)[1]


async def test_only_so_many_calls_run_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "MAX_AT_ONCE", 2)
    hammer = Bench()
    node = node_that_calls(*["hammer"] * 5, tools=[hammer.tool])
    async with at_work(node):
        talk = await talk_on(node, CAREFUL)
        await talk.rests()
        await talk.decide(0, verdict="allowForTurn")
        for finished in range(5):
            await hammer.begins(min(5, finished + 2))
            await everything_else()
            assert len(hammer.begun) == min(5, finished + 2)
            hammer.go.release()
        log = await talk.ended()
    assert [fact.for_turn for fact in log.all(events.ToolCallApproved)] == [True] * 5
    assert len(log.all(events.ToolCallCompleted)) == 5


async def test_a_call_that_does_not_fit_its_tool_asks_nobody() -> None:
    node = Node(None, Hammer(lambda *_: "struck"))
    node.model.answer(0).gives(
        calls("hammer", "[]"), calls("weather", '{"a', number=1), finishes("tool_use")
    )
    node.model.answer(1).gives(says("Done."), finishes())
    async with at_work(node):
        talk = await talk_on(node, CAREFUL, ASKED)
        log = await talk.ended()
    assert "turn.requires_action" not in log.topics
    assert [fact.status for fact in log.all(events.ToolCallCompleted)] == ["error", "error"]


# ------------------------------------------------------------------------ decisions


async def test_a_call_runs_with_the_arguments_that_a_person_gave_it() -> None:
    struck: list[Any] = []
    node = node_that_calls("hammer", tools=[hammer_that_notes(struck)])
    async with at_work(node):
        talk = await talk_on(node, CAREFUL)
        await talk.rests()
        await talk.decide(0, arguments='{"nail":"short"}')
        await talk.ended()
    assert struck == [{"nail": "short"}]
    (heard,) = told(node)
    assert '{"nail":"short"}' in heard
    assert "struck" in heard


@pytest.mark.parametrize("told_to", ["here", "there"])
async def test_arguments_that_cannot_be_are_refused_by_every_node(told_to: str) -> None:
    """By one, too, that remembers the conversation as it was before the call."""
    disk = Disk()
    here = node_that_calls("hammer", tools=[Hammer(lambda *_: "struck")], disk=disk)
    there = Node(disk, Hammer(lambda *_: "struck"))
    async with at_work(here, there):
        conversation_id = await there.conversation(tools=(CAREFUL,))
        reader = await here.follow(conversation_id)
        talk = Talk(here, await here.say(conversation_id), reader)
        await talk.rests()
        with pytest.raises(InvalidInput, match="not a JSON object"):
            await talk.decide(0, arguments="[]", at={"here": here, "there": there}[told_to])
        assert (await here.row(talk.turn)).status == "requires_action"
        await talk.decide(0)
        await talk.ended()


async def test_a_function_that_needs_consent_waits_twice() -> None:
    node = node_that_calls("weather")
    async with at_work(node):
        talk = await talk_on(node, ASKED)
        await talk.rests()
        assert (await talk.decide(0)).status == "requires_action"
        await talk.rests(2)
        assert node.turnlog.turns_running == 0
        await talk.provide()
        log = await talk.ended()
    first, second = log.all(events.TurnRequiresAction)
    assert [one.calls[0].kind for one in (first, second)] == ["approval", "result"]
    assert first.expires_at is not None
    assert second.expires_at is not None
    assert first.expires_at < second.expires_at


# ------------------------------------------------------------- two who answer at once


@pytest.fixture
async def pair() -> AsyncIterator[tuple[Node, Node]]:
    """Two nodes on one store, of which either may run what is answered."""
    disk, hints = Disk(), MemoryHints()
    here = node_that_calls("weather", "weather", disk=disk, hints=hints)
    there = Node(disk, hints=hints)
    there.model.answer(0).gives(says("Done."), finishes())
    async with at_work(here, there):
        yield here, there


async def both_at_once(disk: Disk, *answers: Any) -> list[Any]:
    """What comes of answers that are decided upon the same log; one append is the first."""
    disk.slow = True
    asking = [asyncio.create_task(answer) for answer in answers]
    await disk.holds(len(answers))
    disk.quicken()
    return list(await asyncio.gather(*asking, return_exceptions=True))


async def test_of_two_results_for_one_call_one_counts(pair: tuple[Node, Node]) -> None:
    here, there = pair
    talk = await talk_on(here, WEATHER)
    await talk.rests()
    await talk.provide(0)
    answers = await both_at_once(
        here.disk, talk.provide(1, "here"), talk.provide(1, "there", at=there)
    )
    refused = [one for one in answers if isinstance(one, CallNotOpen)]
    taken = [one for one in answers if isinstance(one, TurnRow)]
    assert (len(refused), len(taken)) == (1, 1)
    log = await talk.ended()
    assert len(log.all(events.ToolCallCompleted)) == 2
    assert log.only(events.TurnResumed).attempt == 2
    assert here.turnlog.turns_running == there.turnlog.turns_running == 0


async def test_of_two_that_answer_different_calls_the_last_goes_on(
    pair: tuple[Node, Node],
) -> None:
    here, there = pair
    talk = await talk_on(here, WEATHER)
    await talk.rests()
    answers = await both_at_once(
        here.disk, talk.provide(0, "here"), talk.provide(1, "there", at=there)
    )
    assert sorted(row.status for row in answers) == ["requires_action", "running"]
    log = await talk.ended()
    assert {fact.output for fact in log.all(events.ToolCallCompleted)} == {"here", "there"}
    assert log.only(events.TurnResumed).attempt == 2
    requests = here.model.requests[1:] + there.model.requests
    assert len(requests) == 1


async def test_an_answer_and_a_request_to_stop_are_both_heard(pair: tuple[Node, Node]) -> None:
    here, there = pair
    talk = await talk_on(here, WEATHER)
    await talk.rests()
    answers = await both_at_once(
        here.disk,
        talk.provide(0),
        there.turnlog.cancel(await there.row(talk.turn), "bob"),
    )
    assert not [one for one in answers if isinstance(one, BaseException)] or (
        isinstance(answers[0], CallNotOpen)
    )
    log = await talk.ended("turn.cancelled")
    assert len(log.all(events.ToolCallCompleted)) == 2
    assert here.turnlog.turns_running == there.turnlog.turns_running == 0


# ------------------------------------------------------------------ how else it ends


async def test_a_cancelled_turn_that_rests_ends_at_once_and_the_next_one_runs() -> None:
    node = node_that_calls("weather")
    async with at_work(node):
        talk = await talk_on(node, WEATHER)
        await talk.rests()
        await node.say(talk.turn.conversation_id, "Next")
        stopped = await node.turnlog.cancel(await node.row(talk.turn), "bob")
        assert (stopped.status, stopped.expires_at) == ("cancelled", None)
        log = await talk.ended()
    assert log.only(events.ToolCallCompleted).status == "cancelled"
    with pytest.raises(NodeStopping):
        await talk.provide()


async def test_a_turn_that_is_asked_to_stop_as_it_comes_to_rest_ends() -> None:
    """The request and the runner's last word are one append."""
    saw = Bench("saw")
    node = node_that_calls("saw", "weather", tools=[saw.tool])
    disk = node.disk
    async with at_work(node):
        talk = await talk_on(node, "saw", WEATHER)
        await saw.begins()
        disk.slow = True
        saw.go.release()
        await disk.holds()  # the tool's result
        asking = asyncio.create_task(node.turnlog.cancel(await node.row(talk.turn), "bob"))
        await everything_else()
        disk.quicken()
        await asking
        log = await talk.ended("turn.cancelled")
        assert "turn.requires_action" not in log.topics
        assert (await node.row(talk.turn)).status == "cancelled"


async def test_an_answer_that_comes_with_the_end_of_its_turn_is_answered_for_what_it_was() -> None:
    """Both were decided in one append: the answer, and then its conversation's end."""
    with capture_logs() as logs:
        for end in ("cancel", "delete"):
            node = node_that_calls("weather", "weather")
            async with at_work(node):
                talk = await talk_on(node, WEATHER)
                row = await talk.rests()
                first, _ = await talk.calls()
                ending: Any = (
                    node.turnlog.cancel(row, "bob")
                    if end == "cancel"
                    else node.turnlog.delete(row.conversation_id, "bob")
                )
                answered, _ = await asyncio.gather(
                    node.turnlog.provide(row, [ask.result(first)]), ending
                )
                assert answered.status == "cancelled"
                log = await talk.ended("turn.cancelled")
                assert [fact.status for fact in log.all(events.ToolCallCompleted)] == [
                    "ok",
                    "cancelled",
                ]
    assert [line for line in logs if line["log_level"] == "error"] == []


async def test_so_is_a_message_that_comes_with_the_end_of_its_conversation() -> None:
    node = Node()
    async with at_work(node):
        conversation_id = await node.conversation()
        submitted, _ = await asyncio.gather(
            node.say(conversation_id), node.turnlog.delete(conversation_id, "bob")
        )
    assert submitted.status == "cancelled"


async def test_a_turn_that_nobody_answers_fails_when_its_time_is_over() -> None:
    node = node_that_calls("weather", action_timeout=3600.0)
    async with at_work(node):
        talk = await talk_on(node, WEATHER)
        await talk.rests()
        await node.turnlog._expiring.look()
        assert (await node.row(talk.turn)).status == "requires_action"
        node.clock.goes_on(3601)
        await node.turnlog._expiring.look()
        log = await talk.ended("turn.failed")
        assert (await node.row(talk.turn)).expires_at is None
        await node.turnlog._expiring.look()
    assert log.only(events.TurnFailed).error.code == "action_expired"
    assert log.only(events.ToolCallCompleted).status == "cancelled"


async def test_of_two_nodes_that_see_it_one_ends_it_and_the_next_turn_runs_there() -> None:
    disk = Disk()
    here, there = node_that_calls("weather", disk=disk), Node(disk)
    for node in (here, there):
        node.clock.goes_on(1)
    there.model.answer(0).gives(says("Done."), finishes())
    async with at_work(here, there):
        talk = await talk_on(here, WEATHER)
        await talk.rests()
        await here.say(talk.turn.conversation_id, "Next")
        here.clock.goes_on(3700)
        there.clock.goes_on(3700)
        await asyncio.gather(here.turnlog._expiring.look(), there.turnlog._expiring.look())
        log = await talk.reached("turn.completed")
    assert len(log.all(events.TurnFailed)) == 1
    assert len(log.all(events.TurnStarted)) == 2


async def test_more_turns_than_are_ended_at_once_all_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("turnlog.runtime.expiring.AT_ONCE", 2)
    node = Node()
    async with at_work(node):
        talks = []
        for number in range(9):
            node.model.answer(number).gives(calls("weather"), finishes("tool_use"))
            talks.append(await talk_on(node, WEATHER))
            await talks[-1].rests()
        node.clock.goes_on(3700)
        for _ in range(9):
            await node.turnlog._expiring.look()
        for talk in talks:
            assert (await node.row(talk.turn)).status == "failed"


# ---------------------------------------------------------------- a store that fails


async def test_who_answers_while_the_store_is_away_is_told_so_and_may_answer_again() -> None:
    disk = Disk()
    node = node_that_calls("weather", disk=disk)
    async with at_work(node):
        talk = await talk_on(node, WEATHER)
        row = await talk.rests()
        result = [ask.result((await talk.calls())[0], "12 °C")]
        disk.away = True
        with pytest.raises(StoreUnavailable):
            await node.turnlog.provide(row, result)
        disk.away = False
        await everything_else()
        assert (await node.row(talk.turn)).status == "requires_action"
        assert (await node.turnlog.provide(row, result)).status == "running"
        log = await talk.ended()
    assert len(log.all(events.ToolCallCompleted)) == 1


async def test_an_answer_that_was_taken_though_its_writer_never_learned_it_wakes_the_turn() -> None:
    disk = Disk()
    node = node_that_calls("weather", disk=disk)
    async with at_work(node):
        talk = await talk_on(node, WEATHER)
        row = await talk.rests()
        result = [ask.result((await talk.calls())[0], "12 °C")]
        disk.silent = True
        with pytest.raises(StoreUnavailable):
            await node.turnlog.provide(row, result)
        disk.silent = False
        log = await talk.reached("turn.completed")
        with pytest.raises(CallNotOpen):
            await node.turnlog.provide(row, result)
    assert log.only(events.TurnResumed).attempt == 2
    assert told(node) == ["12 °C"]


async def test_a_runner_whose_time_was_over_as_its_turn_came_to_rest_lets_it_rest() -> None:
    """Its failure comes after the rest, by which the turn is nobody's."""
    disk = Disk()
    node = node_that_calls("weather", disk=disk)
    runners: list[TurnRunner] = []
    make = node.turnlog._actors._make_runner

    def watched(*made: Any) -> TurnRunner:
        runners.append(make(*made))
        return runners[-1]

    node.turnlog._actors._make_runner = watched
    async with at_work(node):
        talk = await talk_on(node, WEATHER)
        await talk.rests()
        await runners[0]._fail("deadline_exceeded", "It took too long.")
        assert (await node.row(talk.turn)).status == "requires_action"
