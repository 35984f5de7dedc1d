"""What providers gave comes back to them as they want it, and to no one else."""

from __future__ import annotations

import json
from itertools import permutations
from typing import Any

import pytest

from tests.prompt.history import History
from tests.providers.asking import VOICES, Voice, Voices, ask, step
from tests.upstream import Call, Fail, Reply, Say, Think, Upstream
from turnlog.domain.errors import ModelFailed
from turnlog.domain.model import Picture, Text, UserSaid
from turnlog.domain.values import Reasoning

LOOKS = Reply(
    [
        Think("Two files,\n\nthen."),
        Think("hidden", redacted=True),
        Say("I look. 🙂"),
        Call("read", {"path": "é"}),
        Call("read", "{}"),
    ]
)
ADAPTIVE = Reasoning(effort="high")


def sent(upstream: Upstream) -> dict[str, Any]:
    body: dict[str, Any] = upstream.requests[-1].body
    return body


@pytest.mark.parametrize("reasoning", [Reasoning(budget_tokens=1024), ADAPTIVE, None])
async def test_a_tool_loop_is_accepted_step_by_step(
    reasoning: Reasoning | None, upstream: Upstream, voice: Voice
) -> None:
    upstream.replies(LOOKS, LOOKS)
    history = History().asked("Look", model=voice.model)
    for _ in range(2):
        answer = await step(history, voice, reasoning=reasoning)
        assert answer.stop == "tool_use"
        history.answered("one").answered("two", "error")
    answer = await step(history, voice, reasoning=reasoning)
    assert answer.items[-1].text == "The tools said: one; two; one; two"
    await step(history.completed().asked("And?"), voice, reasoning=reasoning)
    assert upstream.violations == []


@pytest.mark.parametrize(("first", "second"), [*permutations(VOICES, 2)])
async def test_another_provider_takes_over(
    first: str, second: str, upstream: Upstream, voices: Voices
) -> None:
    upstream.replies(LOOKS)
    history = History().asked("Look", model=voices[first].model)
    await step(history, voices[first])
    history.answered("one").failed().asked("Go on", model=voices[second].model)
    upstream.replies(LOOKS)
    await step(history, voices[second])
    history.answered("one").answered("two")
    await step(history, voices[second])
    history.completed().asked("And?", model=voices[first].model)
    await step(history, voices[first])
    assert upstream.violations == []


async def test_a_broken_answer_can_be_followed_by_a_question(
    upstream: Upstream, voice: Voice
) -> None:
    history = History().asked("Look", model=voice.model).begins()
    upstream.replies(LOOKS, Fail(529))
    answer = await ask(voice, "Look")
    for part in answer.parts[:-6]:
        history.hear(part)
    history.failed().asked("So?")
    with pytest.raises(ModelFailed) as raised:
        await step(history, voice)
    assert raised.value.reason == "overloaded"
    history.failed().asked("Now?")
    await step(history, voice)
    assert upstream.violations == []


async def test_anthropic_gets_its_thoughts_with_their_signatures(
    upstream: Upstream, voices: Voices
) -> None:
    upstream.replies(LOOKS)
    voice = voices["anthropic/messages"]
    history = History().asked("Look", model=voice.model)
    await step(history, voice)
    await step(history.answered("one").answered("", "error"), voice)
    _, said, results = sent(upstream)["messages"]
    assert [block["type"] for block in said["content"]] == [
        "thinking",
        "redacted_thinking",
        "text",
        "tool_use",
        "tool_use",
    ]
    assert said["content"][0]["signature"]
    assert [block.get("is_error") for block in results["content"]] == [None, True]


async def test_openai_gets_its_items_byte_for_byte(upstream: Upstream, voices: Voices) -> None:
    upstream.replies(LOOKS)
    voice = voices["openai/responses"]
    history = History().asked("Look", model=voice.model)
    await step(history, voice)
    await step(history.answered("one").answered("two"), voice)
    thought, hidden, message, *calls = sent(upstream)["input"][1:6]
    assert [part["text"] for part in thought["summary"]] == ["Two files,", "then."]
    assert hidden["encrypted_content"]
    assert message["content"] == [
        {"type": "output_text", "annotations": [], "logprobs": [], "text": "I look. 🙂"}
    ]
    assert (message["phase"], message["status"]) == ("commentary", "completed")
    assert [call["id"][:3] for call in calls] == ["fc_", "fc_"]


async def test_openrouter_gets_its_reasoning_details(upstream: Upstream, voices: Voices) -> None:
    upstream.replies(LOOKS)
    voice = voices["openrouter/chat"]
    history = History().asked("Look", model=voice.model)
    await step(history, voice)
    await step(history.answered("one").answered("two"), voice)
    said = sent(upstream)["messages"][1]
    shown, hidden = said["reasoning_details"]
    assert (shown["type"], shown["text"]) == ("reasoning.text", "Two files,\n\nthen.")
    assert hidden["type"] == "reasoning.encrypted"
    assert (said["content"], len(said["tool_calls"])) == ("I look. 🙂", 2)


@pytest.mark.parametrize(("name", "shown"), [("local/chat", "Hm."), ("openai/chat", None)])
async def test_reasoning_in_words_goes_back_in_words(
    name: str, shown: str | None, upstream: Upstream, voices: Voices
) -> None:
    upstream.service.chat_reasoning = "deepseek"
    upstream.replies([Think("Hm."), Call("read", {})])
    voice = voices[name]
    history = History().asked("Look", model=voice.model)
    await step(history, voice)
    await step(history.answered("one"), voice)
    assert sent(upstream)["messages"][1].get("reasoning_content") == shown


async def test_a_refusal_goes_back_as_one(upstream: Upstream, voices: Voices) -> None:
    upstream.replies(Reply([Say("I cannot.")], stop="refusal"))
    voice = voices["openai/responses"]
    history = History().asked("Hi", model=voice.model)
    await step(history, voice)
    await step(history.completed().asked("Please"), voice)
    assert sent(upstream)["input"][1]["content"] == [{"type": "refusal", "refusal": "I cannot."}]


async def test_pictures_go_out_as_bytes_or_links(upstream: Upstream, voice: Voice) -> None:
    linked = Picture(url="https://example.org/a.png")
    drawn = Picture(data=b"png", media_type="image/png")
    upstream.script = lambda request: Reply([Say(f"I see {request.images}.")])
    answer = await ask(voice, UserSaid((Text("See"), linked, drawn)))
    assert answer.items[0].text == "I see 2."
    assert upstream.violations == []


async def test_all_of_a_request_reaches_the_model(upstream: Upstream, voice: Voice) -> None:
    answer = await ask(voice, "Hi", instructions="Be kind.", max_output_tokens=5000, reasoning=None)
    assert answer.items[-1].text == "You said: Hi"
    assert "Be kind." in json.dumps(sent(upstream))
    assert "5000" in json.dumps(sent(upstream))
    assert "Reads." in json.dumps(sent(upstream)["tools"])
