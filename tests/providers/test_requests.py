"""How the same wishes are put to each provider."""

from __future__ import annotations

from typing import Any

import pytest

from tests.providers.asking import named, request
from turnlog.adapters.anthropic import request as anthropic
from turnlog.adapters.openai_chat import request as chat
from turnlog.adapters.openai_responses import request as responses
from turnlog.domain.model import AgentCalled, AgentThought, ToolAnswered
from turnlog.domain.tools import ToolSpec
from turnlog.domain.values import ProviderData, Reasoning

BUDGET = Reasoning(budget_tokens=4000)
EFFORT = Reasoning(effort="high")


def claude(model: str, *items: Any, **members: Any) -> dict[str, Any]:
    asked = request(named("anthropic/messages", model), *(items or ("Hi",)), **members)
    return anthropic.body_of(asked)


@pytest.mark.parametrize(
    ("model", "reasoning", "thinking", "effort"),
    [
        ("claude-sonnet-4-5", BUDGET, {"type": "enabled", "budget_tokens": 4000}, None),
        ("claude-opus-4-1-20250805", EFFORT, {"type": "enabled", "budget_tokens": 16384}, None),
        ("claude-opus-4-20250514", BUDGET, {"type": "enabled", "budget_tokens": 4000}, None),
        ("claude-3-7-sonnet-latest", EFFORT, {"type": "enabled", "budget_tokens": 16384}, None),
        ("claude-opus-4-6", EFFORT, {"type": "adaptive", "display": "summarized"}, "high"),
        ("claude-opus-4-8", BUDGET, {"type": "adaptive", "display": "summarized"}, "medium"),
        ("claude-fable-5-2", EFFORT, {"type": "adaptive", "display": "summarized"}, "high"),
        ("something-else", BUDGET, {"type": "enabled", "budget_tokens": 4000}, None),
        ("something-else", EFFORT, {"type": "adaptive", "display": "summarized"}, "high"),
        ("claude-opus-5", Reasoning(effort="none"), {"type": "disabled"}, None),
        ("claude-opus-5", None, None, None),
    ],
)
def test_each_claude_is_asked_to_think_as_it_can(
    model: str, reasoning: Any, thinking: Any, effort: str | None
) -> None:
    body = claude(model, reasoning=reasoning)
    assert body.get("thinking") == thinking
    assert body.get("output_config", {}).get("effort") == effort


def test_there_is_room_for_the_answer_beside_the_thought() -> None:
    body = claude("claude-haiku-4-5", reasoning=BUDGET, max_output_tokens=100)
    assert body["max_tokens"] == 4100
    assert body["thinking"]["budget_tokens"] == 4000
    assert claude("claude-3-haiku-20240307", reasoning=None)["max_tokens"] == 4096


def test_anthropic_is_never_told_a_temperature() -> None:
    assert "temperature" not in claude("claude-haiku-4-5", reasoning=None, temperature=0.5)


def test_calls_that_began_without_a_thought_go_on_without() -> None:
    call = AgentCalled(call_id="call_1", name="read", arguments="{}")
    result = ToolAnswered(call_id="call_1", name="read", output="one", failed=False)
    assert "thinking" not in claude("claude-haiku-4-5", "Hi", call, result, reasoning=BUDGET)
    assert "thinking" not in claude("claude-haiku-4-5", "Hi", call, result, "So", reasoning=BUDGET)
    thought = AgentThought(
        text="Hm",
        provider_data=ProviderData(
            model_provider_id="anthropic",
            model_provider_api="messages",
            model="claude-haiku-4-5",
            content={"type": "thinking", "signature": "abc"},
        ),
    )
    assert "thinking" in claude("claude-haiku-4-5", "Hi", thought, call, result, reasoning=BUDGET)


def gpt(model: str, **members: Any) -> dict[str, Any]:
    return responses.body_of(request(named("openai/responses", model), "Hi", **members))


@pytest.mark.parametrize(
    ("model", "reasoning", "sent"),
    [
        ("gpt-5", None, {"summary": "auto"}),
        ("gpt-5", EFFORT, {"summary": "auto", "effort": "high"}),
        ("o3", BUDGET, {"summary": "auto", "effort": "medium"}),
        ("gpt-5", Reasoning(effort="none"), {"effort": "none"}),
        ("gpt-4o", None, None),
        ("gpt-5-chat-latest", None, None),
        ("model-one", None, None),
        ("model-one", EFFORT, {"summary": "auto", "effort": "high"}),
    ],
)
def test_openai_models_that_think_show_it(model: str, reasoning: Any, sent: Any) -> None:
    body = gpt(model, reasoning=reasoning, temperature=0.5)
    assert body.get("reasoning") == sent
    assert ("temperature" in body) == ("summary" not in (sent or {}))


def test_openai_keeps_nothing_and_gives_its_reasoning_away() -> None:
    body = gpt("gpt-5", max_output_tokens=3)
    assert body["store"] is False
    assert body["include"] == ["reasoning.encrypted_content"]
    assert body["max_output_tokens"] == 16
    assert "include" not in gpt("gpt-4o")


def spoken(provider: Any, **members: Any) -> dict[str, Any]:
    asked = request(named(f"{provider}/chat", "gpt-5"), "Hi", "there", **members)
    return chat.body_of(asked, provider)


def test_each_chat_server_has_its_own_words() -> None:
    wishes = {"max_output_tokens": 99, "reasoning": BUDGET, "temperature": 0.5}
    openai = spoken("openai", **wishes)
    assert (openai["max_completion_tokens"], openai["reasoning_effort"]) == (99, "medium")
    assert "temperature" not in openai
    openrouter = spoken("openrouter", **wishes)
    assert (openrouter["max_tokens"], openrouter["temperature"]) == (99, 0.5)
    assert openrouter["extra_body"] == {"reasoning": {"max_tokens": 4000}}
    assert spoken("openrouter", reasoning=EFFORT)["extra_body"] == {"reasoning": {"effort": "high"}}
    local = spoken("local", **wishes)
    assert (local["max_tokens"], local["reasoning_effort"]) == (99, "medium")


def test_a_tools_schema_is_an_objects() -> None:
    bare = (ToolSpec(name="now", description="", parameters={}),)
    whole = {"type": "object", "properties": {}}
    assert claude("claude-opus-5", tools=bare)["tools"][0]["input_schema"] == whole
    assert gpt("gpt-5", tools=bare)["tools"][0]["parameters"] == whole
    assert spoken("local", tools=bare)["tools"][0]["function"]["parameters"] == whole


def test_what_a_user_says_in_a_row_is_one_message() -> None:
    assert spoken("local", reasoning=None)["messages"] == [
        {"role": "user", "content": "Hi\n\nthere"}
    ]
