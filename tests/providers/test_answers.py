"""The same reply sounds the same over every wire."""

from __future__ import annotations

from typing import Any

import pytest

from tests.providers.asking import VOICES, Item, Voice, Voices, ask
from tests.upstream import Call, Reply, Say, Think, Upstream, Usage
from turnlog.domain import values
from turnlog.domain.model import ItemCompleted, StepFinished, UsageReported

REPLY = Reply(
    [
        Think("Two files,\n\nthen."),
        Say("I look."),
        Call("read", {"path": "a"}),
        Call("read", "{}"),
    ],
    usage=Usage(input=100, output=20, cached=30, reasoning=7),
)
ODD = "\x00 \u2028 \x85 \u2029 é 🙂 \x1c\x0b\r\n."


async def test_an_answer_has_its_items_in_order(upstream: Upstream, voice: Voice) -> None:
    upstream.replies(REPLY)
    answer = await ask(voice, "Look")
    assert answer.items == [
        Item("thinking", "Two files,\n\nthen."),
        Item("message", "I look."),
        Item("tool_call", '{"path": "a"}', "read"),
        Item("tool_call", "{}", "read"),
    ]
    assert answer.stop == "tool_use"
    assert upstream.violations == []


async def test_usage_is_told_at_once_and_exactly_in_the_end(
    upstream: Upstream, voice: Voice
) -> None:
    upstream.replies(REPLY)
    answer = await ask(voice, "Look")
    first, last = answer.parts[0], answer.parts[-1]
    assert isinstance(first, UsageReported)
    assert first.usage.input_tokens > 0
    assert isinstance(last, StepFinished)
    assert last.response_id
    assert last.usage == values.Usage(
        input_tokens=100, output_tokens=20, cached_input_tokens=30, reasoning_tokens=7
    )


@pytest.mark.parametrize("name", ["anthropic/messages", "openai/responses"])
async def test_what_is_written_to_the_cache_was_read_too(
    name: str, upstream: Upstream, voices: Voices
) -> None:
    upstream.replies(Reply([Say("Hi")], usage=Usage(input=100, output=2, cached=30, cache_write=5)))
    usage = (await ask(voices[name], "Hi")).usage
    assert (usage.input_tokens, usage.cached_input_tokens, usage.cache_write_tokens) == (100, 30, 5)


@pytest.mark.parametrize(
    ("stop", "heard"),
    [
        (None, ["end_turn"] * 5),
        ("max_tokens", ["max_tokens"] * 5),
        ("content_filter", ["refusal"] * 5),
        ("refusal", ["refusal"] * 5),
        ("pause_turn", ["pause_turn", *["end_turn"] * 4]),
    ],
)
async def test_an_answer_says_why_it_stopped(
    stop: Any, heard: list[str], upstream: Upstream, voices: Voices
) -> None:
    for name, expected in zip(VOICES, heard, strict=True):
        upstream.replies(Reply([Say("I cannot.")], stop=stop))
        answer = await ask(voices[name], "Hi")
        assert (answer.stop, answer.items) == (expected, [Item("message", "I cannot.")])


async def test_arguments_that_were_cut_off_are_given_as_they_are(
    upstream: Upstream, voice: Voice
) -> None:
    upstream.replies(Reply([Call("read", '{"path": "a')], stop="max_tokens"))
    answer = await ask(voice, "Look")
    assert answer.items == [Item("tool_call", '{"path": "a', "read")]
    assert answer.stop == "max_tokens"


async def test_a_call_without_arguments_has_an_empty_object(
    upstream: Upstream, voice: Voice
) -> None:
    upstream.replies(Reply([Call("read", "")]))
    assert (await ask(voice, "Look")).items == [Item("tool_call", "{}", "read")]


async def test_an_answer_may_say_nothing(upstream: Upstream, voice: Voice) -> None:
    upstream.replies(Reply([]))
    answer = await ask(voice, "Hi")
    assert (answer.items, answer.stop) == ([], "end_turn")


@pytest.mark.parametrize("size", [1, 3, 1000])
async def test_odd_characters_arrive_as_they_were_said(
    size: int, upstream: Upstream, voice: Voice
) -> None:
    upstream.service.chunk_size = size
    upstream.replies([Think(ODD), Say(ODD), Call("read", {"path": ODD})])
    thought, message, call = (await ask(voice, "Hi")).items
    assert (thought.text, message.text) == (ODD, ODD)
    assert call.name == "read"


async def test_half_a_character_becomes_a_replacement(upstream: Upstream, voice: Voice) -> None:
    upstream.replies([Say("a\ud83db\udc00")])
    assert (await ask(voice, "Hi")).items == [Item("message", "a\ufffdb\ufffd")]


async def test_characters_cut_into_halves_are_put_together(
    upstream: Upstream, voice: Voice
) -> None:
    upstream.service.chunk_size = 1
    upstream.replies([Think("\ud83d\ude42."), Say("-\ud83d\ude42")])
    thought, message = (await ask(voice, "Hi")).items
    assert (thought.text, message.text) == ("🙂.", "-🙂")


async def test_thoughts_that_are_hidden_are_kept(upstream: Upstream, voice: Voice) -> None:
    upstream.replies([Think("secret", redacted=True), Say("Hi")])
    answer = await ask(voice, "Hi")
    assert answer.items == [Item("thinking", ""), Item("message", "Hi")]
    ended = next(part for part in answer.parts if isinstance(part, ItemCompleted))
    assert ended.provider_data


@pytest.mark.parametrize("name", ["openrouter/chat", "local/chat"])
async def test_reasoning_content_is_a_thought(
    name: str, upstream: Upstream, voices: Voices
) -> None:
    upstream.service.chat_reasoning = "deepseek"
    upstream.replies([Think("Hm."), Say("Hi")])
    answer = await ask(voices[name], "Hi")
    assert answer.items == [Item("thinking", "Hm."), Item("message", "Hi")]
