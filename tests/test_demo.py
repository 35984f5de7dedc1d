"""The demo model: what it says by itself, and what each directive makes it do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import pytest

from turnlog.adapters.demo import DemoModel, describe
from turnlog.adapters.demo_script import Script, read
from turnlog.domain.errors import ModelFailed, ModelFailure
from turnlog.domain.model import (
    AgentCalled,
    AgentSaid,
    ItemCompleted,
    ItemDelta,
    ItemStarted,
    ModelPart,
    ModelRequest,
    Picture,
    PromptItem,
    StepFinished,
    Text,
    ToolAnswered,
    UsageReported,
    UserSaid,
)
from turnlog.domain.ports import ModelProvider
from turnlog.domain.tools import ToolSpec
from turnlog.domain.values import Model, StopReason, Usage

DEMO = Model(model_provider_id="demo", model_provider_api="script", model="demo")
LIST_FILES = ToolSpec(name="listFiles", description="", parameters={})


class Pauses:
    """A `sleep` that takes no time and remembers what was asked of it."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def request(
    message: str,
    *later: PromptItem,
    tools: Sequence[ToolSpec] = (),
    before: Sequence[PromptItem] = (),
) -> ModelRequest:
    said = UserSaid((Text(message),))
    return ModelRequest(model=DEMO, items=(*before, said, *later), tools=tuple(tools))


def answered(name: str, output: str, call_id: str = "call_1") -> tuple[PromptItem, PromptItem]:
    return (
        AgentCalled(call_id=call_id, name=name, arguments="{}"),
        ToolAnswered(call_id=call_id, name=name, output=output, failed=False),
    )


async def parts(asked: ModelRequest, model: ModelProvider | None = None) -> list[ModelPart]:
    return [part async for part in (model or DemoModel(sleep=Pauses())).stream(asked)]


async def items(asked: ModelRequest) -> list[tuple[str, str]]:
    """What was made: for each item its kind (of a call, the tool's name) and its whole text."""
    made: dict[int, tuple[str, str]] = {}
    for part in await parts(asked):
        if isinstance(part, ItemStarted):
            made[part.item] = (part.name or part.kind, "")
        elif isinstance(part, ItemDelta):
            kind, text = made[part.item]
            made[part.item] = (kind, text + part.text)
    return list(made.values())


async def finished(asked: ModelRequest) -> StepFinished:
    last = (await parts(asked))[-1]
    assert isinstance(last, StepFinished)
    return last


async def failing(asked: ModelRequest) -> tuple[list[ModelPart], ModelFailed]:
    seen: list[ModelPart] = []
    try:
        async for part in DemoModel(sleep=Pauses()).stream(asked):
            seen.append(part)
    except ModelFailed as failure:
        return seen, failure
    raise AssertionError("it did not fail")


# ------------------------------------------------------------- by itself


async def test_it_thinks_and_then_says_what_it_was_told() -> None:
    (thought, _), (message, said) = await items(request("Good morning"))
    assert (thought, message) == ("thinking", "message")
    assert "Good morning" in said


async def test_it_first_looks_at_the_files_if_it_may() -> None:
    asked = request("What is here?", tools=[LIST_FILES])
    (thought, _), call = await items(asked)
    assert thought == "thinking"
    assert call == ("listFiles", "{}")
    assert (await finished(asked)).stop_reason == "tool_use"


async def test_it_then_tells_what_the_tool_said() -> None:
    asked = request("What is here?", *answered("listFiles", "a.txt b.txt"), tools=[LIST_FILES])
    ((kind, said),) = await items(asked)
    assert kind == "message"
    assert "What is here?" in said
    assert "listFiles says: a.txt b.txt" in said
    assert (await finished(asked)).stop_reason == "end_turn"


async def test_it_tells_of_a_tool_that_failed() -> None:
    failed = ToolAnswered(call_id="call_1", name="listFiles", output="no such folder", failed=True)
    later = (*answered("listFiles", "")[:1], failed)
    ((_, said),) = await items(request("Look", *later, tools=[LIST_FILES]))
    assert "listFiles failed: no such folder" in said


async def test_results_of_earlier_turns_do_not_count() -> None:
    before = [UserSaid((Text("first"),)), *answered("listFiles", "a.txt"), AgentSaid(text="there")]
    made = await items(request("again", tools=[LIST_FILES], before=before))
    assert made[-1] == ("listFiles", "{}")


async def test_a_message_of_pictures_only_is_answered_too() -> None:
    said = UserSaid((Picture(url="https://example.org/cat.png"),))
    made = await items(ModelRequest(model=DEMO, items=(said,)))
    assert "nothing in words" in made[-1][1]


async def test_the_same_request_is_answered_alike() -> None:
    asked = request("Hello", tools=[LIST_FILES])
    assert await parts(asked) == await parts(asked)


async def test_each_delta_is_a_word_and_each_item_is_closed() -> None:
    assert await parts(request("/say one  two\tthree")) == [
        UsageReported(Usage(input_tokens=4)),
        ItemStarted(item=0, kind="message"),
        ItemDelta(0, "one  "),
        ItemDelta(0, "two\t"),
        ItemDelta(0, "three"),
        UsageReported(Usage(input_tokens=4, output_tokens=3)),
        ItemCompleted(item=0),
        StepFinished(usage=Usage(input_tokens=4, output_tokens=3), stop_reason="end_turn"),
    ]


async def test_tokens_are_counted_in_words() -> None:
    asked = ModelRequest(
        model=DEMO,
        instructions="be kind",
        items=(
            UserSaid((Text("/think a b /say c"),)),
            AgentSaid(text="one"),
            AgentCalled(call_id="call_1", name="f", arguments="{} {}"),
            ToolAnswered(call_id="call_1", name="f", output="1 2 3", failed=False),
        ),
    )
    assert (await finished(asked)).usage == Usage(
        input_tokens=2 + 5 + 1 + 2 + 3, output_tokens=3, reasoning_tokens=2
    )


async def test_it_pauses_before_each_word_and_at_no_other_time() -> None:
    pauses = Pauses()
    await parts(request("/say one two three"), DemoModel(sleep=pauses, pace=0.5))
    assert pauses.seconds == [0.5, 0.5, 0.5]


# ---------------------------------------------------------- what to make


async def test_directives_are_obeyed_in_the_order_in_which_they_stand() -> None:
    assert await items(request("Please /think well /say yes\nand ignore this\n/say no")) == [
        ("thinking", "well"),
        ("message", "yes"),
        ("message", "no"),
    ]


@pytest.mark.parametrize("message", ["see a/say b", "see /sayings", "https://x/say", "/says"])
async def test_what_only_looks_like_a_directive_is_none(message: str) -> None:
    assert message in (await items(request(message)))[-1][1]


async def test_a_thought_alone_is_followed_by_the_usual_answer() -> None:
    thought, (kind, _) = await items(request("/think hm", tools=[LIST_FILES]))
    assert thought == ("thinking", "hm")
    assert kind == "message"


async def test_tokens_makes_so_many_deltas() -> None:
    made = await parts(request("/tokens 500"))
    assert sum(isinstance(part, ItemDelta) for part in made) == 500


async def test_calls_in_a_row_are_made_at_once_and_end_the_step() -> None:
    message = '/say wait /call readFile {"filePath": "a"} /call now /call bad {"a /say done'
    asked = request(message)
    assert await items(asked) == [
        ("message", "wait"),
        ("readFile", '{"filePath": "a"}'),
        ("now", "{}"),
        ("bad", '{"a'),
    ]
    assert (await finished(asked)).stop_reason == "tool_use"
    results = [item for n in "123" for item in answered("any", "", f"call_{n}")]
    assert await items(request(message, *results)) == [("message", "done")]


async def test_what_stands_between_calls_makes_steps_of_them() -> None:
    message = "/call first /think hm /call second"
    assert await items(request(message)) == [("first", "{}")]
    assert await items(request(message, *answered("first", "1"))) == [
        ("thinking", "hm"),
        ("second", "{}"),
    ]
    both = (*answered("first", "1"), *answered("second", "2", "call_2"))
    ((kind, said),) = await items(request(message, *both))
    assert kind == "message"
    assert "second says: 2" in said


@pytest.mark.parametrize("code", get_args(ModelFailure))
async def test_a_failure_has_the_reason_that_was_asked_for(code: str) -> None:
    _, failure = await failing(request(f"/fail {code}"))
    assert failure.reason == code
    assert failure.provider == "demo"
    passing = ("rate_limited", "overloaded", "connection", "stalled")
    assert failure.retryable == (code in passing)


async def test_a_failure_of_no_known_kind_is_the_providers() -> None:
    _, failure = await failing(request("/fail sunspots"))
    assert failure.reason == "provider_error"
    assert "sunspots" in str(failure)


async def test_a_failure_cuts_off_the_item_before_it() -> None:
    seen, _ = await failing(request("/think first /say half of /fail connection"))
    assert seen[-4:] == [
        ItemStarted(item=1, kind="message"),
        ItemDelta(1, "half "),
        ItemDelta(1, "of"),
        UsageReported(Usage(input_tokens=7, output_tokens=3, reasoning_tokens=1)),
    ]
    assert ItemCompleted(item=0) in seen


async def test_help_tells_the_directives() -> None:
    assert await items(request("/help")) == [("message", describe())]
    for directive in ("say", "think", "tokens", "call", "fail", "help", "delay", "steps", "stop"):
        assert f"/{directive} " in describe()


# ------------------------------------------------------------ and how so


async def test_delay_sets_the_pause_in_milliseconds() -> None:
    pauses = Pauses()
    await parts(request("/delay 1500 /say one two"), DemoModel(sleep=pauses))
    assert pauses.seconds == [1.5, 1.5]


async def test_delay_alone_changes_nothing_that_is_said() -> None:
    assert len(await items(request("Hello /delay 0"))) == 2


async def test_steps_repeats_the_round_of_calls() -> None:
    message = "/steps 3 /call look {} /say done"
    for rounds in range(3):
        results = [item for n in range(rounds) for item in answered("look", "", f"call_{n}")]
        assert await items(request(message, *results)) == [("look", "{}")]
    results = [item for n in range(3) for item in answered("look", "", f"call_{n}")]
    assert await items(request(message, *results)) == [("message", "done")]


async def test_steps_without_a_call_looks_at_the_files() -> None:
    assert await items(request("/steps 1")) == [("listFiles", "{}")]


async def test_no_steps_at_all_is_an_answer() -> None:
    ((kind, _),) = await items(request("/steps 0"))
    assert kind == "message"


@pytest.mark.parametrize("reason", get_args(StopReason))
async def test_stop_is_how_the_last_step_ends(reason: StopReason) -> None:
    message = f"/stop {reason} /call look"
    assert (await finished(request(message))).stop_reason == "tool_use"
    assert (await finished(request(message, *answered("look", "")))).stop_reason == reason


async def test_a_reason_to_stop_that_nobody_knows_is_unknown() -> None:
    assert (await finished(request("/stop boredom"))).stop_reason == "unknown"


async def test_an_answer_that_was_paused_is_ended_when_asked_again() -> None:
    asked = request("/say on and on /stop pause_turn", AgentSaid(text="on and on"))
    assert (await finished(asked)).stop_reason == "end_turn"


@pytest.mark.parametrize("directive", ["/tokens many", "/delay -1", "/steps", "/tokens 1000001"])
async def test_a_number_that_is_none_or_too_large_is_an_invalid_request(directive: str) -> None:
    seen, failure = await failing(request(directive))
    assert failure.reason == "invalid_request"
    assert directive.split()[0] in str(failure)
    assert not seen


def test_a_script_without_calls_is_one_step() -> None:
    script = read("/say a /say b", may_look=True)
    assert script.steps() == ([], script.pieces)
    assert Script([]).steps() == ([], [])
