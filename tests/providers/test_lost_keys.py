"""OpenAI may no longer know its own encrypted reasoning: the conversation goes on without it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.prompt.history import History
from tests.providers.asking import Voice, Voices, step
from tests.upstream import Call, Fail, Reply, Say, Think, Upstream, seals
from turnlog.domain.errors import ModelFailed

LOOKS = Reply([Think("Two files."), Say("I look."), Call("read", {}), Call("read", {})])
UNDECIPHERABLE = "could not be decrypted"


@pytest.fixture
def voice(voices: Voices) -> Voice:
    return voices["openai/responses"]


def new_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seals, "secret", b"another")


def reasoning(upstream: Upstream) -> list[int]:
    """How many thoughts each request brought along."""
    bodies: list[dict[str, Any]] = [asked.body for asked in upstream.requests]
    return [sum(item["type"] == "reasoning" for item in body["input"]) for body in bodies]


async def test_the_reasoning_of_earlier_turns_is_left_out(
    upstream: Upstream, voice: Voice, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = History().asked("Look", model=voice.model)
    upstream.replies(LOOKS)
    await step(history, voice)
    await step(history.answered("one").answered("two"), voice)
    new_keys(monkeypatch)
    upstream.replies(LOOKS)
    await step(history.completed().asked("Again"), voice)
    answer = await step(history.answered("three").answered("four"), voice)
    assert answer.items[-1].text == "The tools said: three; four"
    assert reasoning(upstream) == [0, 1, 1, 0, 2, 1]
    assert len(upstream.violations) == 2
    assert all(UNDECIPHERABLE in each for each in upstream.violations)


async def test_in_the_middle_of_a_turn_all_of_it_is_left_out(
    upstream: Upstream, voice: Voice, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = History().asked("Look", model=voice.model)
    upstream.replies(LOOKS)
    await step(history, voice)
    new_keys(monkeypatch)
    answer = await step(history.answered("one").answered("two"), voice)
    assert answer.items[-1].text == "The tools said: one; two"
    assert reasoning(upstream) == [0, 1, 0]


async def test_another_refusal_is_told_at_once(upstream: Upstream, voice: Voice) -> None:
    history = History().asked("Look", model=voice.model)
    upstream.replies(LOOKS)
    await step(history, voice)
    upstream.replies(Fail(400, code="invalid_prompt"))
    with pytest.raises(ModelFailed):
        await step(history.answered("one").answered("two"), voice)
    assert reasoning(upstream) == [0, 1]
