"""The upstream speaks the three wires so that the official SDKs understand it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from tests.upstream import Call, Reply, Say, Think, Upstream, Usage
from tests.upstream.driving import WIRES, Clients, connected, results

THINKS = Think("Two files,\n\nthen.")
CALLS = [Call("read", {"path": "a"}), Call("list", {})]
ANSWER = Reply([THINKS, Say("I look."), *CALLS], usage=Usage(100, 20, 30, 5, 7))


@pytest.fixture
async def clients() -> AsyncIterator[Clients]:
    async with connected() as clients:
        yield clients


@pytest.fixture
def upstream(clients: Clients) -> Upstream:
    return clients.upstream


async def test_anthropics_own_accumulator_reads_a_whole_message(
    upstream: Upstream, clients: Clients
) -> None:
    upstream.replies(ANSWER)
    async with clients.anthropic.messages.stream(
        model="m",
        max_tokens=2000,
        thinking={"type": "enabled", "budget_tokens": 1024},
        messages=[{"role": "user", "content": "look"}],
    ) as stream:
        message: Any = await stream.get_final_message()
    thinking, text, read, listing = message.content
    assert (thinking.thinking, text.text) == (THINKS.text, "I look.")
    assert (read.name, read.input, listing.input) == ("read", {"path": "a"}, {})
    assert (message.stop_reason, message.usage.output_tokens) == ("tool_use", 20)
    assert message.usage.input_tokens == 65
    assert message.usage.cache_read_input_tokens == 30
    assert message.usage.cache_creation_input_tokens == 5


async def test_openais_own_accumulator_reads_a_whole_response(
    upstream: Upstream, clients: Clients
) -> None:
    upstream.replies(ANSWER)
    async with clients.openai.responses.stream(
        model="m", input="look", reasoning={"summary": "auto"}
    ) as stream:
        events = [event async for event in stream]
        response: Any = await stream.get_final_response()
    assert [event.sequence_number for event in events] == list(range(len(events)))
    thought, message, read, listing = response.output
    assert [part.text for part in thought.summary] == ["Two files,", "then."]
    assert (message.content[0].text, message.phase) == ("I look.", "commentary")
    assert (read.name, read.arguments, listing.arguments) == ("read", '{"path": "a"}', "{}")
    assert response.usage.input_tokens_details.cached_tokens == 30
    assert response.usage.output_tokens_details.reasoning_tokens == 7


async def test_chat_streams_reasoning_calls_and_usage(upstream: Upstream, clients: Clients) -> None:
    upstream.replies(ANSWER)
    chunks: list[Any] = [chunk async for chunk in await clients.ask("chat", "look")]
    deltas = [chunk.choices[0].delta for chunk in chunks[:-1]]
    assert "".join(getattr(delta, "reasoning", "") for delta in deltas) == THINKS.text
    assert chunks[-2].choices[0].finish_reason == "tool_calls"
    assert chunks[-1].choices == []
    assert chunks[-1].usage.prompt_tokens_details.cached_tokens == 30


@pytest.mark.parametrize("wire", WIRES)
async def test_what_was_given_is_accepted_back(
    wire: str, upstream: Upstream, clients: Clients
) -> None:
    upstream.replies(Reply([THINKS, Think("hidden", redacted=True), Say("I look."), *CALLS]))
    question = {"role": "user", "content": "look"}
    output = await clients.output(wire, [question])
    again = await clients.output(wire, [question, *results(wire, output, "one", "two")])
    assert "The tools said: one; two" in msgspec.json.encode(again).decode()
    final = await clients.output(
        wire, [question, *results(wire, output, "one", "two"), *again, question]
    )
    assert "You said: look" in msgspec.json.encode(final).decode()
    assert upstream.violations == []


@pytest.mark.parametrize("wire", WIRES)
async def test_the_same_conversation_looks_the_same_to_a_script(
    wire: str, upstream: Upstream, clients: Clients
) -> None:
    histories = []

    def script(request: Any) -> Reply:
        histories.append([(e.kind, e.text, e.name) for e in request.history])
        return Reply([Say("done")]) if request.results else ANSWER

    upstream.script = script
    question = {"role": "user", "content": "look"}
    output = await clients.output(wire, [question])
    await clients.output(wire, [question, *results(wire, output, "one", "two")])
    assert sorted(histories[1]) == sorted(
        [
            ("user", "look", ""),
            ("assistant", "I look.", ""),
            ("call", '{"path": "a"}', "read"),
            ("call", "{}", "list"),
            ("result", "one", ""),
            ("result", "two", ""),
        ]
    )


async def test_a_message_may_script_its_reply(clients: Clients) -> None:
    said = 'think: hm\nsay: Reading.\ncall: read {"path": "a"}'
    (message,) = await clients.output("anthropic", said)
    assert [block["type"] for block in message["content"]] == ["thinking", "text", "tool_use"]


@pytest.mark.parametrize(
    ("stop", "anthropic", "responses", "chat"),
    [
        ("max_tokens", "max_tokens", "max_output_tokens", "length"),
        ("content_filter", "refusal", "content_filter", "content_filter"),
        ("refusal", "refusal", None, "stop"),
        ("pause_turn", "pause_turn", None, "stop"),
    ],
)
async def test_a_reply_stops_in_the_words_of_each_wire(
    stop: Any, anthropic: str, responses: str, chat: str, upstream: Upstream, clients: Clients
) -> None:
    reply = Reply([Say("I cannot.")], stop=stop)
    upstream.replies(reply, reply, reply)
    events: list[Any] = [event async for event in await clients.ask("anthropic", "hi")]
    assert events[-2].delta.stop_reason == anthropic
    events = [event async for event in await clients.ask("responses", "hi")]
    details = events[-1].response.incomplete_details
    assert (details and details.reason) == responses
    content = events[-1].response.output[0].content[0]
    assert content.type == ("refusal" if stop == "refusal" else "output_text")
    events = [event async for event in await clients.ask("chat", "hi")]
    assert events[-2].choices[0].finish_reason == chat


async def test_thoughts_are_shown_only_when_asked_for(upstream: Upstream, clients: Clients) -> None:
    upstream.replies(ANSWER, ANSWER, ANSWER)
    (message,) = await clients.output("anthropic", "hi", thinking={"type": "disabled"})
    assert message["content"][0]["type"] == "text"
    items = await clients.output("responses", "hi", reasoning=None, include=None)
    assert items[0].keys() == {"id", "type", "summary"}
    assert items[0]["summary"] == []
    omitted = {"type": "adaptive", "display": "omitted"}
    (message,) = await clients.output("anthropic", "hi", thinking=omitted)
    assert message["content"][0]["thinking"] == ""
    assert message["content"][0]["signature"]


async def test_chat_may_think_in_deepseeks_words(upstream: Upstream, clients: Clients) -> None:
    upstream.service.chat_reasoning = "deepseek"
    upstream.replies(ANSWER)
    chunks: list[Any] = [chunk async for chunk in await clients.ask("chat", "hi")]
    thought = [getattr(chunk.choices[0].delta, "reasoning_content", "") for chunk in chunks[:-1]]
    assert "".join(thought) == THINKS.text


async def test_keys_are_not_recorded(upstream: Upstream, clients: Clients) -> None:
    await clients.output("anthropic", "hi")
    (request,) = upstream.requests
    assert (request.path, request.body["max_tokens"]) == ("/v1/messages", 4096)
    assert request.headers["authorization"] == "***"


async def test_models_are_listed_to_both_sdks(upstream: Upstream, clients: Clients) -> None:
    assert [model.id async for model in clients.anthropic.models.list()] == upstream.models
    assert [model.id async for model in clients.openai.models.list()] == upstream.models
