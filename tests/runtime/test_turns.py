"""The agent loop: the model speaks, its tools run, and again, until the turn has its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from tests.domain import ask
from tests.runtime.disk import Disk
from tests.runtime.given import Facts, Hammer, Node, Reader, at_work
from tests.runtime.model import calls, finishes, says, thinks
from tests.runtime.waiting import PATIENCE, everything_else, time_passes, until
from turnlog.domain import events
from turnlog.domain.codec import MAX_STATE_BYTES
from turnlog.domain.errors import (
    ModelFailed,
    NodeStopping,
    StoreUnavailable,
    ToolFailed,
    ToolTimedOut,
)
from turnlog.domain.model import (
    AgentCalled,
    AgentSaid,
    ItemDelta,
    ItemStarted,
    Text,
    ToolAnswered,
    UsageReported,
    UserSaid,
)
from turnlog.domain.ports import Tool
from turnlog.domain.values import Overrides, Usage
from turnlog.projections.context import Context
from turnlog.projections.view import View
from turnlog.runtime import actor as actors
from turnlog.runtime import retries, steps
from turnlog.runtime import turn as turns

OVERLOADED = ModelFailed("overloaded", "Too busy.", provider="openai", retryable=True)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that is away is asked again at once, a model that fails not at all."""
    monkeypatch.setattr(actors, "STORE_RETRY_SECONDS", 0)
    monkeypatch.setattr(steps, "STORE_RETRY_SECONDS", 0)
    monkeypatch.setattr(retries, "MAX_TRIES", 1)


class Talk:
    """A conversation in which a message was said, and who follows it."""

    def __init__(self, node: Node, conversation_id: Any, reader: Reader) -> None:
        self.node = node
        self.model = node.model
        self.conversation_id = conversation_id
        self.reader = reader

    async def ended(self, how: str = "turn.completed") -> Facts:
        """The log, once a turn of it has ended in that way."""
        await self.reader.sees(f"event: {how}\n")
        return await self.log()

    async def log(self) -> Facts:
        return await self.node.log(self.conversation_id)


@pytest.fixture
async def talk() -> AsyncIterator[Talk]:
    node = Node()
    async with at_work(node):
        yield await talk_on(node)


async def talk_on(node: Node, **members: Any) -> Talk:
    conversation_id = await node.conversation(**members)
    reader = await node.follow(conversation_id)
    await node.say(conversation_id)
    return Talk(node, conversation_id, reader)


async def run_with(*tools: Tool, arguments: str = "{}", name: str = "hammer") -> Facts:
    """The log of a turn in which the model calls a tool, and then says that it is done."""
    node = Node(None, *tools)
    node.model.answer(0).gives(calls(name, arguments), finishes("tool_use"))
    node.model.answer(1).gives(says("Done."), finishes())
    async with at_work(node):
        talk = await talk_on(node)
        log = await talk.ended()
        (told,) = [item for item in node.model.requests[1].items if isinstance(item, ToolAnswered)]
        result = log.only(events.ToolCallCompleted)
        assert result.output in told.output
        assert told.failed == (result.status != "ok")
        return log


# ----------------------------------------------------------------- the plain way


async def test_a_turn_is_told_from_the_question_to_the_answer(talk: Talk) -> None:
    talk.model.answer().gives(thinks("Hm", "m"), says("Hi ", "there", number=1), finishes())
    log = await talk.ended()
    assert [topic for topic in log.topics if not topic.endswith("delta")] == [
        "conversation.created",
        "turn.queued",
        "turn.started",
        "step.started",
        "thinking.started",
        "thinking.completed",
        "message.started",
        "message.completed",
        "step.completed",
        "turn.completed",
    ]
    assert log.only(events.ThinkingCompleted).text == "Hmm"
    answer = log.only(events.MessageCompleted)
    assert answer.text == "Hi there" == "".join(log.deltas(answer.item))
    completed = log.only(events.TurnCompleted)
    assert completed.result == events.Result(item=answer.item)
    assert completed.usage == ask.USAGE
    await until(lambda: talk.node.turnlog.turns_running == 0)


async def test_a_tools_result_goes_back_to_the_model_which_then_answers() -> None:
    async def strike(arguments: dict[str, Any], progress: Any) -> str:
        return f"struck {arguments['times']} times"

    log = await run_with(Hammer(strike), arguments='{"times": 3}')
    result = log.only(events.ToolCallCompleted)
    assert (result.status, result.output) == ("ok", "struck 3 times")
    assert log.deltas(result.item)[-1] == "struck 3 times"
    order = [t for t in log.topics if t.startswith(("step.", "tool_call.", "turn."))]
    assert order == [
        "turn.queued",
        "turn.started",
        "step.started",
        "tool_call.started",
        "tool_call.arguments_delta",
        "tool_call.requested",
        "step.completed",
        "tool_call.output_delta",
        "tool_call.completed",
        "step.started",
        "step.completed",
        "turn.completed",
    ]
    assert log.only(events.TurnCompleted).usage == ask.USAGE + ask.USAGE


async def test_what_a_tool_says_on_the_way_is_its_output() -> None:
    async def strike(_: Any, progress: Any) -> str:
        await progress("bang ")
        await everything_else()
        await progress("bang")
        return "bang bang"

    log = await run_with(Hammer(strike))
    result = log.only(events.ToolCallCompleted)
    assert (result.status, result.output) == ("ok", "bang bang")
    assert log.deltas(result.item)[1:] == ["bang ", "bang"]


async def test_calls_of_one_step_run_side_by_side() -> None:
    both = asyncio.Barrier(2)

    async def meet(_: Any, progress: Any) -> str:
        await both.wait()
        return "met"

    node = Node(None, Hammer(meet))
    node.model.answer(0).gives(
        calls("hammer", number=0), calls("hammer", number=1), finishes("tool_use")
    )
    node.model.answer(1).gives(says("Done."), finishes())
    async with at_work(node):
        log = await (await talk_on(node)).ended()
    assert [fact.output for fact in log.all(events.ToolCallCompleted)] == ["met", "met"]
    assert len({fact.call_id for fact in log.all(events.ToolCallCompleted)}) == 2


async def test_no_tool_starts_before_its_step_is_on_disk() -> None:
    disk = Disk()
    seen: list[list[str]] = []

    async def look(_: Any, progress: Any) -> str:
        seen.append((await node.log(conversation_id)).topics)
        return "looked"

    node = Node(disk, Hammer(look))
    async with at_work(node):
        conversation_id = await node.conversation()
        reader = await node.follow(conversation_id)
        await node.say(conversation_id)
        await node.model.asked()
        disk.slow = True
        node.model.answer(0).gives(calls("hammer"), finishes("tool_use"))
        await disk.holds()
        await everything_else()
        assert seen == []
        disk.quicken()
        node.model.answer(1).gives(says("Done."), finishes())
        await reader.sees("turn.completed")
    assert seen[0][-1] == "step.completed"


async def test_what_a_step_has_called_runs_whatever_comes_between() -> None:
    disk = Disk()
    node = Node(disk, Hammer(lambda *_: "struck"))
    async with at_work(node):
        talk = await talk_on(node)
        await node.model.asked()
        disk.slow = True
        node.model.answer(0).gives(calls("hammer"), finishes("tool_use"))
        node.model.answer(1).gives(says("Done."), finishes())
        await disk.holds()
        busy = asyncio.create_task(node.say(talk.conversation_id, on_busy="reject"))
        await everything_else()
        disk.unreadable = True
        disk.quicken()
        with pytest.raises(StoreUnavailable):
            await busy
        await everything_else()
        disk.unreadable = False
        log = await talk.ended()
    assert log.only(events.ToolCallCompleted).output == "struck"


async def test_a_model_that_pauses_is_asked_again(talk: Talk) -> None:
    talk.model.answer(0).gives(says("First half, "), finishes("pause_turn"))
    talk.model.answer(1).gives(says("second half."), finishes())
    log = await talk.ended()
    assert len(log.all(events.StepCompleted)) == 2
    assert [i.text for i in talk.model.requests[1].items if isinstance(i, AgentSaid)] == [
        "First half, "
    ]


async def test_a_turn_has_its_limit_of_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "MAX_STEPS", 3)
    node = Node(None, Hammer(lambda *_: "again"))
    for number in range(4):
        node.model.answer(number).gives(calls("hammer"), finishes("tool_use"))
    async with at_work(node):
        log = await (await talk_on(node)).ended("turn.failed")
    failed = log.only(events.TurnFailed)
    assert (failed.error.code, failed.error.retryable) == ("step_limit", False)
    assert len(log.all(events.StepCompleted)) == len(log.all(events.ToolCallCompleted)) == 3
    assert failed.usage == ask.USAGE + ask.USAGE + ask.USAGE
    assert [len(request.items) for request in node.model.requests] == [1, 3, 5]


# --------------------------------------------------------- tools that do not work


async def test_a_tool_that_is_not_there_is_an_error_that_names_those_that_are() -> None:
    log = await run_with(Hammer(lambda *_: "never"), name="saw")
    result = log.only(events.ToolCallCompleted)
    assert result.status == "error"
    assert "'saw'" in result.output
    assert "hammer" in result.output


async def test_a_tool_that_this_turn_may_not_use_does_not_run() -> None:
    struck: list[Any] = []
    node = Node(None, Hammer(struck.append), Hammer(struck.append, "saw"))
    node.model.answer(0).gives(calls("hammer"), finishes("tool_use"))
    node.model.answer(1).gives(says("Done."), finishes())
    async with at_work(node):
        log = await (await talk_on(node, tools=("saw",))).ended()
    assert struck == []
    assert log.only(events.ToolCallCompleted).status == "error"
    assert [tool.name for tool in node.model.requests[0].tools] == ["saw"]


@pytest.mark.parametrize(
    "arguments",
    ['{"times": ', "strike!", "[1, 2]", "3", "null", '"{}"', "[" * 5000],
    ids=["cut off", "no JSON", "a list", "a number", "null", "a text", "very deep"],
)
async def test_arguments_that_are_no_object_are_not_run(arguments: str) -> None:
    struck: list[Any] = []
    log = await run_with(Hammer(lambda *_: struck.append(1)), arguments=arguments)
    result = log.only(events.ToolCallCompleted)
    assert (struck, result.status) == ([], "error")
    assert "did not run" in result.output


@pytest.mark.parametrize("arguments", ["", " ", "{}"])
async def test_a_call_without_arguments_has_an_empty_object_of_them(arguments: str) -> None:
    given: list[Any] = []

    def strike(arguments: dict[str, Any], progress: Any) -> str:
        given.append(arguments)
        return "struck"

    log = await run_with(Hammer(strike), arguments=arguments)
    assert log.only(events.ToolCallCompleted).status == "ok"
    assert given == [{}]


@pytest.mark.parametrize("arguments", ["", "{}", '{"times": 1}'])
async def test_a_call_that_the_provider_left_open_is_not_run(arguments: str) -> None:
    struck: list[Any] = []
    node = Node(None, Hammer(lambda *_: struck.append(1)))
    started = ItemStarted(item=0, kind="tool_call", name="hammer")
    node.model.answer(0).gives(started, ItemDelta(0, arguments), finishes("max_tokens"))
    node.model.answer(1).gives(says("Done."), finishes())
    async with at_work(node):
        log = await (await talk_on(node)).ended()
    result = log.only(events.ToolCallCompleted)
    assert (struck, result.status) == ([], "error")
    assert "cut off" in result.output


async def test_a_tool_that_fails_tells_the_model_why() -> None:
    def fail(*_: Any) -> str:
        raise ToolFailed("There is no nail.")

    result = (await run_with(Hammer(fail))).only(events.ToolCallCompleted)
    assert (result.status, result.output) == ("error", "There is no nail.")


async def test_what_a_tool_had_said_before_it_failed_is_kept() -> None:
    async def fail(_: Any, progress: Any) -> str:
        await progress("bang ")
        raise ToolFailed("It broke.")

    log = await run_with(Hammer(fail))
    assert log.only(events.ToolCallCompleted).output == "bang It broke."


async def test_a_tool_may_say_itself_that_its_time_was_over() -> None:
    async def dawdle(_: Any, progress: Any) -> str:
        await progress("ba")
        raise ToolTimedOut("[too slow]")

    result = (await run_with(Hammer(dawdle))).only(events.ToolCallCompleted)
    assert (result.status, result.output) == ("timeout", "ba[too slow]")


async def test_a_tool_that_crashes_fails_without_telling_its_inner_life() -> None:
    def crash(*_: Any) -> str:
        raise RuntimeError("password: hunter2")

    with capture_logs() as logs:
        log = await run_with(Hammer(crash))
    result = log.only(events.ToolCallCompleted)
    assert result.status == "error"
    assert b"hunter2" not in b"".join(entry.state for entry in log.entries)
    assert "tool_call.crashed" in [line["event"] for line in logs]


async def test_a_tool_that_takes_too_long_is_stopped() -> None:
    begun, stopped = asyncio.Event(), asyncio.Event()

    async def dally(_: Any, progress: Any) -> str:
        await progress("Wait… ")
        begun.set()
        try:
            return str(await asyncio.Event().wait())
        finally:
            stopped.set()

    node = Node(None, Hammer(dally))
    node.model.answer(0).gives(calls("hammer"), finishes("tool_use"))
    node.model.answer(1).gives(says("Done."), finishes())
    async with at_work(node):
        talk = await talk_on(node)
        await begun.wait()
        time_passes(Hammer(dally).spec.seconds + 1)
        log = await talk.ended()
    assert stopped.is_set()
    result = log.only(events.ToolCallCompleted)
    assert result.status == "timeout"
    assert result.output.startswith("Wait… ")


async def test_a_tools_own_timeouts_are_not_its_calls() -> None:
    def dally(*_: Any) -> str:
        raise TimeoutError("a connection of its own")

    result = (await run_with(Hammer(dally))).only(events.ToolCallCompleted)
    assert result.status == "error"


async def test_an_output_that_is_too_long_is_cut_at_its_end_and_whole_in_its_deltas() -> None:
    whole = "".join(f"{n} bangs, " for n in range(40_000))
    log = await run_with_long(whole)
    result = log.only(events.ToolCallCompleted)
    assert result.truncated
    assert result.bytes == len(whole)
    assert whole.startswith(result.output)
    assert "".join(log.deltas(result.item)[1:]) == whole
    assert all(len(entry.state) <= MAX_STATE_BYTES for entry in log.entries)


async def run_with_long(output: str) -> Facts:
    node = Node(None, Hammer(lambda *_: output))
    node.model.answer(0).gives(calls("hammer"), finishes("tool_use"))
    node.model.answer(1).gives(says("Done."), finishes())
    async with at_work(node):
        log = await (await talk_on(node)).ended()
    (told,) = [item for item in node.model.requests[1].items if isinstance(item, ToolAnswered)]
    assert told.output == output
    return log


async def test_what_a_tool_says_after_its_end_is_dropped() -> None:
    says_on: list[Any] = []

    def strike(_: Any, progress: Any) -> str:
        says_on.append(progress)
        return "struck"

    node = Node(None, Hammer(strike))
    node.model.answer(0).gives(calls("hammer"), finishes("tool_use"))
    async with at_work(node):
        talk = await talk_on(node)
        await node.model.asked(1)
        await says_on[0]("late")
        node.model.answer(1).gives(says("Done."), finishes())
        log = await talk.ended()
    assert b"late" not in b"".join(entry.state for entry in log.entries)


# -------------------------------------------------------- providers that do not work


async def test_a_providers_failure_ends_the_turn_and_keeps_what_was_said(talk: Talk) -> None:
    answer = talk.model.answer()
    answer.gives(UsageReported(Usage(input_tokens=7)), thinks("Hm"))
    answer.gives(ItemStarted(item=1, kind="message"), ItemDelta(1, "I wo"))
    answer.fails(OVERLOADED)
    log = await talk.ended("turn.failed")
    failed = log.only(events.TurnFailed)
    assert (failed.error.code, failed.error.message) == ("overloaded", "Too busy.")
    assert (failed.error.provider, failed.error.retryable) == ("openai", True)
    assert failed.usage == Usage(input_tokens=7)
    message = log.only(events.MessageCompleted)
    assert (message.text, message.partial) == ("I wo", True)
    assert not log.only(events.ThinkingCompleted).partial
    assert log.all(events.StepCompleted) == []


async def test_a_call_that_was_cut_off_with_its_turn_has_its_one_result(talk: Talk) -> None:
    answer = talk.model.answer()
    answer.gives(ItemStarted(item=0, kind="tool_call", name="hammer"), ItemDelta(0, '{"ti'))
    answer.fails(OVERLOADED)
    log = await talk.ended("turn.failed")
    assert log.only(events.ToolCallRequested).partial
    assert log.only(events.ToolCallCompleted).status == "cancelled"


async def test_what_the_finished_steps_cost_counts_when_the_next_one_fails() -> None:
    node = Node(None, Hammer(lambda *_: "struck"))
    node.model.answer(0).gives(calls("hammer"), finishes("tool_use"))
    node.model.answer(1).gives(UsageReported(Usage(input_tokens=1))).fails(OVERLOADED)
    async with at_work(node):
        log = await (await talk_on(node)).ended("turn.failed")
    assert log.only(events.TurnFailed).usage == ask.USAGE + Usage(input_tokens=1)


async def test_what_a_silent_provider_cost_is_marked_as_a_guess(talk: Talk) -> None:
    talk.model.answer().fails(OVERLOADED)
    assert (await talk.ended("turn.failed")).only(events.TurnFailed).usage.estimated


async def test_a_stream_that_ends_before_its_finish_is_a_broken_connection(talk: Talk) -> None:
    talk.model.answer().gives(says("All is w")).breaks_off()
    error = (await talk.ended("turn.failed")).only(events.TurnFailed).error
    assert (error.code, error.retryable) == ("connection", True)


async def test_a_model_that_says_nothing_has_stalled_and_is_hung_up_on(talk: Talk) -> None:
    talk.model.answer().gives(says("Wait"))
    await talk.reader.sees("message.completed")
    time_passes(talk.node.turnlog.parts.stall_timeout + 1)
    log = await talk.ended("turn.failed")
    assert talk.model.answer().hung_up.is_set()
    error = log.only(events.TurnFailed).error
    assert (error.code, error.provider, error.retryable) == ("stalled", "openai", True)


async def test_a_slow_disk_is_not_the_models_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("turnlog.runtime.letters.MAX_WAITING_CHARACTERS", 1)
    disk = Disk()
    node = Node(disk)
    async with at_work(node):
        talk = await talk_on(node)
        await node.model.asked()
        disk.slow = True
        node.model.answer().gives(says("A", "long", "answer"), finishes())
        await disk.holds()
        time_passes(node.turnlog.parts.stall_timeout + 1)
        await everything_else()
        assert not node.model.answer().parts.empty()
        disk.quicken()
        log = await talk.ended()
    assert log.only(events.MessageCompleted).text == "Alonganswer"


async def test_a_crash_of_the_runner_is_told_without_its_words(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    with capture_logs() as logs:
        talk.model.answer().gives(says("Hi")).fails(RuntimeError("password: hunter2"))
        log = await talk.ended("turn.failed")
    error = log.only(events.TurnFailed).error
    assert (error.code, error.retryable) == ("internal_error", True)
    assert b"hunter2" not in b"".join(entry.state for entry in log.entries)
    assert "turn.crashed" in [line["event"] for line in logs]


async def test_lone_surrogates_of_a_provider_do_not_keep_a_turn_from_its_end(talk: Talk) -> None:
    answer = talk.model.answer()
    answer.gives(ItemStarted(item=0, kind="tool_call", name="ham\ud800mer"))
    answer.gives(ItemDelta(0, '"\udfff'))
    answer.fails(ModelFailed("invalid_request", "What is \ud83d?", provider="openai"))
    log = await talk.ended("turn.failed")
    assert log.only(events.TurnFailed).error.message == "What is \ufffd?"
    request = log.only(events.ToolCallRequested)
    assert (request.name, request.arguments) == ("ham\ufffdmer", '"\ufffd')


async def test_a_turn_whose_provider_cannot_be_used_fails_with_the_reason() -> None:
    node = Node()
    async with at_work(node):
        talk = await talk_on(node, model_provider_id="nobody")
        error = (await talk.ended("turn.failed")).only(events.TurnFailed).error
    assert error.code == "invalid_provider"
    assert "openai, anthropic" in error.message


async def test_a_store_that_is_away_between_two_steps_is_waited_for() -> None:
    disk = Disk()

    def strike(*_: Any) -> str:
        return "struck"

    node = Node(disk, Hammer(strike))
    async with at_work(node):
        talk = await talk_on(node)
        await node.model.asked()
        disk.unreadable = True
        node.model.answer(0).gives(calls("hammer"), finishes("tool_use"))
        node.model.answer(1).gives(says("Done."), finishes())
        await talk.reader.sees("tool_call.completed")
        await everything_else()
        assert len(node.model.requests) == 1
        disk.unreadable = False
        log = await talk.ended()
    assert log.only(events.MessageCompleted).text == "Done."


# ------------------------------------------------------------- one after the other


async def test_turns_run_in_the_order_in_which_they_were_asked_for(talk: Talk) -> None:
    node = talk.node
    second = await node.say(talk.conversation_id, "Second")
    third = await node.say(talk.conversation_id, "Third")
    assert [second.status, third.status] == ["queued", "queued"]
    for number, word in enumerate(["one", "two", "three"]):
        request = await node.model.asked(number)
        users = [item for item in request.items if isinstance(item, UserSaid)]
        assert len(users) == number + 1
        node.model.answer(number).gives(says(word), finishes())
        await talk.reader.sees(f'"text":"{word}"')
    await until(lambda: node.turnlog.turns_running == 0)
    log = await talk.log()
    started = [fact.turn_id for fact in log.all(events.TurnStarted)]
    assert started == [fact.turn_id for fact in log.all(events.TurnCompleted)]
    assert started[1:] == [second.turn_id, third.turn_id]


async def test_the_next_turn_knows_what_was_said_before(talk: Talk) -> None:
    talk.model.answer(0).gives(says("Hi there"), finishes())
    await talk.ended()
    await talk.node.say(talk.conversation_id, "How are you?")
    request = await talk.model.asked(1)
    question, answer, next_question = request.items
    assert question == UserSaid((Text("Hello"),))
    assert isinstance(answer, AgentSaid)
    assert answer.text == "Hi there"
    assert next_question == UserSaid((Text("How are you?"),))


async def test_after_a_failure_the_next_turn_has_a_legal_history() -> None:
    node = Node(None, Hammer(lambda *_: "struck"))
    node.model.answer(0).gives(calls("hammer"), finishes("tool_use"))
    node.model.answer(1).gives(says("I be")).fails(OVERLOADED)
    async with at_work(node):
        talk = await talk_on(node)
        await talk.ended("turn.failed")
        await node.say(talk.conversation_id, "Again")
        request = await node.model.asked(2)
    kinds = [type(item) for item in request.items]
    assert kinds == [UserSaid, AgentCalled, ToolAnswered, AgentSaid, UserSaid]


async def test_a_turn_may_have_a_model_of_its_own(talk: Talk) -> None:
    node = talk.node
    talk.model.answer(0).gives(says("I am the first."), finishes())
    await talk.ended()
    await node.say(talk.conversation_id, overrides=Overrides(**ask.OTHER_MODEL))
    request = await node.other_model.asked()
    assert request.model.model == ask.OTHER_MODEL["model"]
    node.other_model.answer().gives(says("I am another."), finishes())
    await talk.reader.sees("I am another.")
    await node.say(talk.conversation_id)
    request = await node.model.asked(1)
    assert request.model.model == ask.MODEL["model"]
    log = await talk.log()
    assert [fact.model for fact in log.all(events.TurnStarted)] == ["gpt-5", "opus", "gpt-5"]


# ----------------------------------------------------------------- who else decides


async def test_deleting_a_conversation_hangs_up_on_its_model(talk: Talk) -> None:
    talk.model.answer().gives(says("I was going to sa"))
    await talk.reader.sees("going to sa")
    await talk.node.turnlog.delete(talk.conversation_id, by="alice")
    async with asyncio.timeout(PATIENCE):
        await talk.model.answer().hung_up.wait()
    await until(lambda: talk.node.turnlog.turns_running == 0)
    assert (await talk.log()).topics[-2:] == ["turn.cancelled", "conversation.deleted"]


async def test_deleting_a_conversation_stops_its_tools() -> None:
    begun, stopped = asyncio.Event(), asyncio.Event()

    async def dally(*_: Any) -> str:
        begun.set()
        try:
            return str(await asyncio.Event().wait())
        finally:
            stopped.set()

    node = Node(None, Hammer(dally))
    node.model.answer().gives(calls("hammer"), finishes("tool_use"))
    async with at_work(node), asyncio.timeout(PATIENCE):
        talk = await talk_on(node)
        await begun.wait()
        await node.turnlog.delete(talk.conversation_id, by="alice")
        await stopped.wait()
    assert (await talk.log()).only(events.ToolCallCompleted).status == "cancelled"


async def test_a_turn_that_another_node_has_ended_stops_here_without_a_crash() -> None:
    disk = Disk()
    go = asyncio.Event()

    async def wait(*_: Any) -> str:
        await go.wait()
        return "struck"

    here, there = Node(disk, Hammer(wait)), Node(disk)
    here.model.answer().gives(calls("hammer"), finishes("tool_use"))
    with capture_logs() as logs:
        async with at_work(here, there):
            talk = await talk_on(here)
            await talk.reader.sees("step.completed")
            await there.turnlog.delete(talk.conversation_id, by="alice")
            go.set()
            await until(lambda: here.turnlog.turns_running == 0)
            await everything_else()
    assert (await talk.log()).topics[-1] == "conversation.deleted"
    assert [line for line in logs if line["log_level"] == "error"] == []


async def test_a_node_that_stops_leaves_its_turns_open_and_starts_no_other() -> None:
    node = Node()
    async with at_work(node):
        talk = await talk_on(node)
        await node.say(talk.conversation_id, "Second")
        talk.model.answer().gives(says("Hi"))
        await talk.reader.sees("Hi")
    assert talk.model.answer().hung_up.is_set()
    log = await talk.log()
    assert log.only(events.MessageCompleted).text == "Hi"
    assert log.topics[-1] == "message.completed"
    with pytest.raises(NodeStopping):
        await node.say(talk.conversation_id)
    await everything_else()
    assert (node.turnlog.turns_running, len(node.model.requests)) == (0, 1)


async def test_a_node_that_stops_without_its_store_does_not_wait_for_it_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("turnlog.runtime.actors.SETTLE_SECONDS", 0.01)
    disk = Disk()
    node = Node(disk)
    async with asyncio.timeout(PATIENCE), at_work(node):
        talk = await talk_on(node)
        await talk.model.asked()
        disk.away = True
        talk.model.answer().gives(says("Hi"))
        await everything_else()


async def test_a_node_that_stops_lets_its_turns_finish_first() -> None:
    node = Node()
    async with node.turnlog.running(drain_seconds=PATIENCE):
        talk = await talk_on(node)
        await talk.model.asked()
        asyncio.get_running_loop().call_soon(talk.model.answer().gives, says("Hi"), finishes())
    assert (await talk.log()).topics[-1] == "turn.completed"


# ---------------------------------------------------- what was seen was stored


async def test_what_is_shown_is_what_was_committed_in_that_order() -> None:
    disk = Disk()
    node = Node(disk, Hammer(lambda *_: "struck"))

    class Witness(Reader):
        def receive(self, frames: bytes, offset: int, *, ended: bool) -> None:
            assert len(disk.memory._logs[conversation_id]) >= offset
            super().receive(frames, offset, ended=ended)

    async with at_work(node):
        conversation_id = await node.conversation()
        tail = node.turnlog.tails.open(conversation_id)
        tail.reached(1)
        reader = Witness(tail, 1)
        await node.say(conversation_id)
        await node.model.asked()
        disk.slow = True
        node.model.answer(0).gives(
            thinks("Let ", "me ", "see"), calls("hammer", number=1), finishes("tool_use")
        )
        node.model.answer(1).gives(says("It ", "is ", "done."), finishes())
        while b"turn.completed" not in b"".join(reader.frames):
            await everything_else()
            disk.release()
    log = await node.log(conversation_id)
    replay = b"".join(View().render(entry, Context()) for entry in log.entries[1:])
    assert b"".join(reader.frames) == replay
    assert [msgspec.json.decode(entry.state)["type"] for entry in log.entries] == log.topics
