"""What counts of a conversation, in which order, and what a model is told of it."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tests.prompt.history import CLAUDE, GPT, NOW, History, called, said, thought
from turnlog.domain import commands, events
from turnlog.domain.endings import NOBODY_KNOWS
from turnlog.domain.model import (
    AgentCalled,
    AgentSaid,
    AgentThought,
    Picture,
    PromptItem,
    Text,
    ToolAnswered,
    UserSaid,
)
from turnlog.domain.values import ImagePart, Model, ProviderData, TextPart, timestamp
from turnlog.projections.prompt import blobs_named


def user(text: str) -> UserSaid:
    return UserSaid((Text(text),))


def kinds(items: tuple[PromptItem, ...]) -> list[str]:
    return [type(item).__name__ for item in items]


def results(items: tuple[PromptItem, ...]) -> list[ToolAnswered]:
    return [item for item in items if isinstance(item, ToolAnswered)]


def sealed(seal: str, model: Model = CLAUDE) -> ProviderData:
    return ProviderData(
        model_provider_id=model.model_provider_id,
        model_provider_api=model.model_provider_api,
        model=model.model,
        content={"seal": seal},
    )


def test_a_finished_turn_is_a_question_and_its_answer() -> None:
    history = History().asked("Hi").stepped(thought(), said("Hello")).completed().asked("And?")
    assert history.prompt() == (
        user("Hi"),
        AgentThought(text="Hm.", provider_data=sealed("Hm.")),
        AgentSaid(text="Hello"),
        user("And?"),
    )


def test_the_results_of_a_step_follow_all_of_its_items() -> None:
    history = (
        History()
        .asked("Look")
        .stepped(called('{"a": 1}'), said("And"), called("{}", name="list"), stop="tool_use")
    )
    history.answered("one").answered("two", "error")
    first, second = (item for item in history.prompt() if isinstance(item, AgentCalled))
    assert history.prompt() == (
        user("Look"),
        AgentCalled(
            call_id=first.call_id,
            name="read",
            arguments='{"a": 1}',
            provider_data=sealed('{"a": 1}'),
        ),
        AgentSaid(text="And"),
        AgentCalled(
            call_id=second.call_id, name="list", arguments="{}", provider_data=sealed("{}")
        ),
        ToolAnswered(
            call_id=first.call_id,
            name="read",
            output="one",
            failed=False,
            provider_data=sealed('{"a": 1}'),
        ),
        ToolAnswered(
            call_id=second.call_id,
            name="list",
            output="two",
            failed=True,
            provider_data=sealed("{}"),
        ),
    )


@pytest.mark.parametrize(
    "other",
    [GPT, replace(CLAUDE, model="claude-opus-5"), replace(CLAUDE, model_provider_api="chat")],
)
def test_another_model_is_given_neither_thoughts_nor_seals(other: Model) -> None:
    history = History().asked("Look").stepped(thought(), said("I look"), called(), stop="tool_use")
    history.answered("one")
    items = history.prompt(other)
    assert kinds(items) == ["UserSaid", "AgentSaid", "AgentCalled", "ToolAnswered"]
    assert [getattr(item, "provider_data", None) for item in items] == [None] * 4


def test_superseded_items_and_their_results_are_gone() -> None:
    history = History().asked("Look").stepped(said("First"), called(), stop="tool_use")
    history.answered("one").begins().speaks(thought(), said("Again"), called()).retried()
    history.stepped(said("Done"))
    assert kinds(history.prompt()) == [
        "UserSaid",
        "AgentSaid",
        "AgentCalled",
        "ToolAnswered",
        "AgentSaid",
    ]
    assert history.prompt()[-1] == AgentSaid(text="Done")


def test_what_a_lost_node_had_begun_leaves_nothing() -> None:
    history = History().asked("Look").begins().speaks(thought(), said("Hm"), called())
    history.speaks(said("Half", whole=False)).steered("Quick").taken_over()
    assert history.prompt() == (user("Look"), user("Quick"))
    assert kinds(history.stepped(said("Done")).prompt())[2:] == ["AgentSaid"]


def test_of_a_call_that_a_lost_node_ran_the_model_is_told_that_nobody_knows() -> None:
    history = History().asked("Look").stepped(called(), called(name="list"), stop="tool_use")
    first, second = results(history.taken_over().prompt())
    assert "not known" in first.output
    assert "no result yet" in second.output
    assert [first.failed, second.failed] == [True, True]
    first, second = results(history.answered("a.txt").begins().prompt())
    assert (second.output, second.failed) == ("a.txt", False)


def test_a_call_that_had_spoken_shows_what_it_had_said() -> None:
    called_list = called(name="list")
    history = History().asked("Look").stepped(called_list, stop="tool_use").spoke("half")
    (result,) = results(history.taken_over().prompt())
    assert "half\nThe server stopped" in result.output


def test_thoughts_that_were_cut_off_are_never_shown() -> None:
    history = History().asked("Hi").begins().speaks(thought(whole=False)).failed().asked("So?")
    assert history.prompt() == (user("Hi"), user("So?"))


@pytest.mark.parametrize(("text", "shown"), [("He", 1), ("", 0), (" \n", 0)])
def test_text_that_was_cut_off_stays_unless_it_is_blank(text: str, shown: int) -> None:
    history = History().asked("Hi").begins().speaks(said(text, whole=False)).cancelled()
    assert kinds(history.asked("So?").prompt()) == ["UserSaid", *["AgentSaid"] * shown, "UserSaid"]


@pytest.mark.parametrize(
    "after", [[], [said("He", whole=False)], [called('{"pa', whole=False)], [thought(whole=False)]]
)
def test_a_thought_that_no_whole_item_follows_is_dropped(after: list[Any]) -> None:
    history = History().asked("Hi").begins().speaks(thought(), *after).failed().asked("So?")
    assert "AgentThought" not in kinds(history.prompt())


def test_a_thought_stays_if_a_whole_item_follows_its_sequel() -> None:
    history = History().asked("Hi").begins()
    history.speaks(thought("a"), thought("b"), said(" "), called(), thought("c")).failed()
    assert kinds(history.asked("So?").prompt()) == [
        "UserSaid",
        "AgentThought",
        "AgentThought",
        "AgentCalled",
        "ToolAnswered",
        "UserSaid",
    ]


def test_a_blank_message_stays_if_its_provider_wants_it_back() -> None:
    history = History().asked("Hi").stepped(thought(), said("", seal="msg_1")).completed()
    assert kinds(history.prompt()) == ["UserSaid", "AgentThought", "AgentSaid"]
    assert kinds(history.prompt(GPT)) == ["UserSaid"]


def test_a_turn_that_never_started_leaves_nothing() -> None:
    history = History().asked("Hi").begins().asked("Later").speaks(said("Hello"))
    waiting = history.state.queue[0].turn_id
    assert kinds(history.ends().prompt()) == ["UserSaid", "AgentSaid"]
    history.tell(
        events.TurnCancelled(
            at=timestamp(NOW),
            turn_id=waiting,
            by="ann",
            reason=None,
            usage=history.running.usage,
        )
    )
    assert history.completed().prompt() == (user("Hi"), AgentSaid(text="Hello"))


def test_turns_stand_in_the_order_in_which_they_started() -> None:
    history = History().asked("One").asked("Two").stepped(said("1")).completed()
    assert history.prompt() == (user("One"), AgentSaid(text="1"), user("Two"))


def test_a_steering_message_follows_the_results_of_the_step_under_way() -> None:
    history = History().asked("Look").steered("At once").begins().speaks(called())
    history.steered("Rather not").ends("tool_use").answered("one").steered("Stop").begins()
    assert history.prompt()[:2] == (user("Look"), user("At once"))
    assert kinds(history.prompt())[2:] == ["AgentCalled", "ToolAnswered", "UserSaid", "UserSaid"]
    assert history.prompt()[-2:] == (user("Rather not"), user("Stop"))


def test_a_steering_message_outlives_the_step_that_is_superseded() -> None:
    history = History().asked("Look").begins().speaks(said("Hm")).steered("Quick").retried()
    assert history.prompt() == (user("Look"), user("Quick"))


@pytest.mark.parametrize(
    ("arguments", "stop", "told"),
    [
        ("[1]", "tool_use", "not a JSON object"),
        ("{'a': 1}", "tool_use", "not a JSON object"),
        ("[" * 100_000, "tool_use", "not a JSON object"),
        ('{"a": "b', "max_tokens", "cut off"),
    ],
)
def test_arguments_that_are_no_object_go_back_empty(arguments: str, stop: Any, told: str) -> None:
    history = History().asked("Look").stepped(called(arguments), stop=stop).answered("No.", "error")
    _, call, result = history.prompt()
    assert isinstance(call, AgentCalled)
    assert isinstance(result, ToolAnswered)
    assert (call.arguments, result.failed) == ("{}", True)
    assert told in result.output


def test_a_call_without_arguments_has_empty_ones() -> None:
    history = History().asked("Look").stepped(called(""), stop="tool_use").answered("one")
    call, result = history.prompt()[1:]
    assert (call.arguments, result.output) == ("{}", "one")  # type: ignore[union-attr]


def test_a_call_that_was_being_written_is_told_to_be_cut_off() -> None:
    history = History().asked("Look").begins().speaks(called('{"pa', whole=False)).failed()
    (result,) = results(history.prompt())
    assert "cut off" in result.output
    assert result.provider_data is None


@pytest.mark.parametrize(
    ("output", "status", "told"),
    [
        ("", "ok", "no output"),
        ("", "error", "failed"),
        ("half", "timeout", "ran out of time and was stopped. Its output until then:\nhalf"),
        ("", "timeout", "ran out of time"),
        ("", "cancelled", "cancelled"),
        ("half", "unknown", "unknown whether the tool ran"),
    ],
)
def test_a_result_says_what_happened(output: str, status: Any, told: str) -> None:
    history = History().asked("Look").stepped(called(), stop="tool_use").answered(output, status)
    (result,) = results(history.prompt())
    assert told in result.output
    assert result.failed == (status != "ok")


@pytest.mark.parametrize("spoken", ["", "half"])
def test_that_nobody_knows_what_a_call_did_is_told_once(spoken: str) -> None:
    history = History().asked("Hit").stepped(called(name="hammer"), stop="tool_use")
    (history.spoke(spoken) if spoken else history).taken_over()
    (result,) = results(history.prompt())
    assert result.output == "\n".join(filter(None, [spoken, NOBODY_KNOWS]))
    assert result.failed


@pytest.mark.parametrize(("reason", "told"), [("Too risky", ": Too risky"), (None, "denied")])
def test_a_denied_call_says_why(reason: str | None, told: str) -> None:
    history = History().asked("Look").stepped(called(), stop="tool_use").denied(reason)
    (result,) = results(history.prompt())
    assert "denied" in result.output
    assert told in result.output
    assert result.failed


def test_a_call_that_a_person_denied_says_why() -> None:
    waits = History().asked("Look").stepped(called(name="deploy"), stop="tool_use").rests()
    (result,) = results(waits.decided("deny", "Not on a Friday").prompt())
    assert result.output == "This call was denied, and the tool did not run: Not on a Friday"
    assert result.failed


def test_a_call_that_ran_with_a_persons_arguments_tells_them_beside_the_models() -> None:
    waits = History().asked("Look").stepped(called(name="deploy"), stop="tool_use").rests()
    ran = waits.decided("allow", arguments='{"to":"test"}').answered("deployed")
    (call,) = [item for item in ran.prompt() if isinstance(item, AgentCalled)]
    assert call.arguments == "{}"
    (result,) = results(ran.prompt())
    assert '{"to":"test"}' in result.output
    assert result.output.endswith("\ndeployed")
    assert not result.failed


@pytest.mark.parametrize(("status", "failed"), [("ok", False), ("error", True)])
def test_a_callers_result_is_told_as_it_came(status: Any, failed: bool) -> None:
    waits = History().asked("Look").stepped(called(name="ask"), stop="tool_use").rests()
    (result,) = results(waits.provided("42", status).prompt())
    assert (result.output, result.failed) == ("42", failed)


def test_what_was_said_while_a_turn_rested_follows_the_results() -> None:
    waits = History().asked("Look").stepped(called(name="ask"), stop="tool_use").rests()
    kinds = [type(item) for item in waits.steered("Faster").provided("42").prompt()]
    assert kinds == [UserSaid, AgentCalled, ToolAnswered, UserSaid]


def test_an_open_call_has_a_result_all_the_same() -> None:
    history = History().asked("Look").stepped(called(), called(), stop="tool_use").answered("one")
    assert [result.failed for result in results(history.prompt())] == [False, True]
    assert "no result yet" in results(history.prompt())[1].output
    history.failed()
    assert "cancelled" in results(history.prompt())[1].output


def test_a_call_that_its_turn_left_open_says_so() -> None:
    history = History().asked("Look").stepped(called(), stop="tool_use")
    history.tell(
        events.TurnCancelled(
            at=timestamp(NOW),
            turn_id=history.running.turn_id,
            by="ann",
            reason=None,
            usage=history.running.usage,
        )
    )
    assert "the turn was cancelled before" in results(history.prompt())[0].output


@pytest.mark.parametrize(
    ("name", "shown"), [("fs.read", "fs_read"), ("é", "_"), ("", "unnamed"), ("a" * 99, "a" * 64)]
)
def test_names_that_providers_refuse_are_mended(name: str, shown: str) -> None:
    history = History().asked("Look").stepped(called(name=name), stop="tool_use").answered("one")
    assert [item.name for item in history.prompt()[1:]] == [shown, shown]  # type: ignore[union-attr]


def test_blobs_stand_where_they_were_said() -> None:
    long = TextPart(blob="t", media_type="text/plain", bytes=4)
    image = ImagePart(blob="i", media_type="image/png", bytes=3)
    linked = ImagePart(url="https://example.org/a.png")
    drawn = ImagePart(blob="s", media_type="image/svg+xml", bytes=3)
    history = History().asked("See", long, image, linked, drawn)
    assert blobs_named((fact for _, fact in history.facts), CLAUDE) == {"t", "i", "s"}
    (asked,) = history.prompt(blobs={"t": b"long", "i": b"png", "s": b"svg"})
    assert isinstance(asked, UserSaid)
    assert asked.content[:4] == (
        Text("See"),
        Text("long"),
        Picture(data=b"png", media_type="image/png"),
        Picture(url="https://example.org/a.png"),
    )
    assert "image/svg+xml" in str(asked.content[4])


def test_a_blob_that_is_gone_leaves_a_note() -> None:
    image = ImagePart(blob="i", media_type="image/png", bytes=3)
    (asked,) = History().asked(image, TextPart(blob="t")).prompt(blobs={"t": b""})
    assert isinstance(asked, UserSaid)
    assert ["no longer available" in str(part) for part in asked.content] == [True, True]


def test_a_blank_message_is_said_to_be_blank() -> None:
    assert History().asked(" ").prompt() == (user("(This message was blank.)"),)


def test_deleting_and_later_facts_change_nothing() -> None:
    history = History().asked("Hi").stepped(said("Hello")).completed()
    before = history.prompt()
    history.do(commands.DeleteConversation(at=NOW, by="ann"))
    assert history.prompt() == before
