"""The upstream refuses the histories that the real services refuse, and says why."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from copy import deepcopy
from typing import Any

import anthropic
import openai
import pytest

from tests.upstream import Call, Reply, Say, Think, Upstream
from tests.upstream.driving import Clients, connected, results

QUESTION = {"role": "user", "content": "look"}
HELLO = {"role": "assistant", "content": "Hello"}
CALLING = Reply([Think("Two."), Think("Hidden", redacted=True), Call("read", {}), Call("list", {})])
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/bmp", "data": "Qk0="}}

Change = Callable[[list[Any]], None]


@pytest.fixture
async def clients() -> AsyncIterator[Clients]:
    async with connected() as clients:
        yield clients


@pytest.fixture
def upstream(clients: Clients) -> Upstream:
    return clients.upstream


async def refused(clients: Clients, wire: str, history: list[Any], **members: Any) -> str:
    """The message with which a request was refused; it is a violation, too."""
    before = len(clients.upstream.violations)
    with pytest.raises((anthropic.APIStatusError, openai.APIStatusError)) as raised:
        await clients.ask(wire, history, **members)
    (violation,) = clients.upstream.violations[before:]
    error: Any = raised.value
    message = error.body["error"] if wire == "anthropic" else error.body
    assert violation == f"{wire}: {message['message']}"
    return str(message["message"])


async def answered(clients: Clients, wire: str) -> list[Any]:
    """A legal history: a question, thoughts with two calls, two results."""
    clients.upstream.replies(CALLING)
    output = await clients.output(wire, [QUESTION])
    return [deepcopy(QUESTION), *results(wire, output, "one", "two")]


def dropped(*path: Any) -> Change:
    """Drop what stands at the path."""

    def change(history: list[Any]) -> None:
        holder: Any = history
        for step in path[:-1]:
            holder = holder[step]
        del holder[path[-1]]

    return change


def put(value: Any, *path: Any) -> Change:
    """Put a value at the path; a function is applied to what stands there."""

    def change(history: list[Any]) -> None:
        holder: Any = history
        for step in path[:-1]:
            holder = holder[step]
        last = path[-1]
        holder[last] = value(holder[last]) if callable(value) else value

    return change


def inserted(value: Any, *path: Any) -> Change:
    """Insert into the list at the path."""

    def change(history: list[Any]) -> None:
        holder: Any = history
        for step in path[:-1]:
            holder = holder[step]
        holder.insert(path[-1], value)

    return change


def altered(text: str) -> str:
    return ("A" if text[0] != "A" else "B") + text[1:]


def repeated(blocks: list[Any]) -> list[Any]:
    return [*blocks, blocks[-1]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dropped(2), "messages.1: `tool_use` ids were found without `tool_result` blocks"),
        (dropped(2, "content", 0), "`tool_use` ids were found without `tool_result` blocks"),
        (inserted(QUESTION, 2), "`tool_use` ids were found without `tool_result` blocks"),
        (dropped(1), "unexpected `tool_use_id` found in `tool_result` blocks"),
        (put("toolu_x", 2, "content", 0, "tool_use_id"), "unexpected `tool_use_id` found"),
        (put(repeated, 2, "content"), "each tool_use must have a single result"),
        (inserted({"type": "text", "text": "x"}, 2, "content", 0), "without `tool_result` blocks"),
        (put(repeated, 1, "content"), "`tool_use` ids must be unique"),
        (put([], 1, "content", -1, "input"), "tool_use.input: Input should be a valid dictionary"),
        (put(altered, 1, "content", 0, "signature"), "Invalid `signature` in `thinking` block"),
        (put("Three.", 1, "content", 0, "thinking"), "Invalid `signature` in `thinking` block"),
        (dropped(1, "content", 0, "signature"), "thinking.signature: Field required"),
        (put(altered, 1, "content", 1, "data"), "Invalid `data` in `redacted_thinking` block"),
        (dropped(1, "content", 0), "blocks in the latest assistant message cannot be modified"),
        (dropped(1, "content", slice(0, 2)), "Expected `thinking` or `redacted_thinking`"),
        (put(1, 1, "content", 0, "x"), "content.0.thinking.x: Extra inputs are not permitted"),
        (dropped(0), 'first message must use the "user" role'),
        (put("", 0, "content"), "all messages must have non-empty content"),
        (put("  ", 0, "content"), "text content blocks must contain non-whitespace text"),
        (inserted({"type": "text", "text": ""}, 2, "content", 2), "must be non-empty"),
        (inserted({**HELLO, "content": "So "}, 3), "cannot end with trailing whitespace"),
        (put("system", 0, "role"), "role: Input should be 'user' or 'assistant'"),
        (inserted(IMAGE, 2, "content", 2), "media_type: Input should be 'image/jpeg'"),
    ],
)
async def test_anthropic_refuses_illegal_histories(
    change: Change, message: str, clients: Clients
) -> None:
    history = await answered(clients, "anthropic")
    change(history)
    assert message in await refused(clients, "anthropic", history)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"max_tokens": 0}, "max_tokens: Input should be greater than or equal to 1"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1000}}, "greater than or equal to 1024"),
        ({"max_tokens": 1024}, "`max_tokens` must be greater than `thinking.budget_tokens`"),
        ({"tool_choice": {"type": "any"}}, "when tool_choice forces tool use"),
        ({"tools": [{"name": "a b", "input_schema": {}}]}, "tools.0.custom.name: String should"),
        ({"extra_body": {"temperature": 1}}, "temperature: Extra inputs are not permitted"),
        (
            {
                "extra_body": {"temperature": 0.5},
                "extra_headers": {"anthropic-version": "2023-06-01"},
            },
            "`temperature` may only be set to 1 when thinking is enabled",
        ),
        ({"extra_body": {"max_tokens": None}}, "max_tokens: Field required"),
        ({"extra_headers": {"anthropic-version": "1"}}, '"1" is not a valid version'),
    ],
)
async def test_anthropic_refuses_illegal_settings(
    members: dict[str, Any], message: str, clients: Clients
) -> None:
    assert message in await refused(clients, "anthropic", [QUESTION], **members)


async def test_anthropic_merges_consecutive_messages_of_one_role(
    clients: Clients, upstream: Upstream
) -> None:
    question, message, given = await answered(clients, "anthropic")
    halves = [{**given, "content": [block]} for block in given["content"]]
    await clients.output("anthropic", [question, question, message, *halves, question])
    assert upstream.violations == []


async def test_anthropic_asks_only_for_the_current_loops_thoughts(
    clients: Clients, upstream: Upstream
) -> None:
    question, message, given = await answered(clients, "anthropic")
    del message["content"][:2]
    await clients.output("anthropic", [question, message, given, HELLO, question])
    assert upstream.violations == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dropped(-1), "No tool output found for function call call_"),
        (dropped(3), "No tool call found for function call output with call_id call_"),
        (put(repeated, slice(None)), "Duplicate function call output with call_id"),
        (dropped(2), "of type 'reasoning' was provided without its required following item"),
        (inserted(HELLO, 3), "of type 'reasoning' was provided without its required following"),
        (
            dropped(slice(1, 3)),
            "'function_call' was provided without its required 'reasoning' item",
        ),
        (put(altered, 1, "encrypted_content"), "encrypted content for item rs_"),
        (dropped(1, "encrypted_content"), "Items are not persisted when `store` is set to `false`"),
        (put("abc", 1, "id"), "'input[1].id': 'abc'. Expected an ID that begins with 'rs'"),
        (put("x", 3, "id"), "'input[3].id': 'x'. Expected an ID that begins with 'fc'"),
        (put(lambda h: [*h, h[1]], slice(None)), "Duplicate item found with id rs_"),
        (put({}, 3, "arguments"), "Invalid type for 'input[3].arguments'"),
        (put(None, 3, "parsed_arguments"), "Unknown parameter: 'input[3].parsed_arguments'"),
        (put("c" * 65, 3, "call_id"), "Expected a string with maximum length 64"),
    ],
)
async def test_responses_refuses_illegal_histories(
    change: Change, message: str, clients: Clients
) -> None:
    history = await answered(clients, "responses")
    change(history)
    assert message in await refused(clients, "responses", history)


async def test_responses_wants_the_phase_of_a_message_back(clients: Clients) -> None:
    clients.upstream.replies(Reply([Say("I look."), Call("read")]))
    output = await clients.output("responses", [QUESTION])
    assert output[0]["phase"] == "commentary"
    del output[0]["phase"]
    history = [QUESTION, *results("responses", output, "one")]
    assert "was generated as 'commentary'" in await refused(clients, "responses", history)


async def test_responses_refuses_a_thought_that_nothing_followed(clients: Clients) -> None:
    clients.upstream.replies(Reply([Think("So")], stop="max_tokens"))
    output = await clients.output("responses", [QUESTION])
    message = await refused(clients, "responses", [QUESTION, *output, QUESTION])
    assert "without its required following item" in message


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"max_output_tokens": 15}, "Expected a value >= 16, but got 15"),
        ({"extra_body": {"max_tokens": 20}}, "Unknown parameter: 'max_tokens'"),
        ({"previous_response_id": "resp_1"}, "Previous response with id 'resp_1' not found"),
        ({"tools": [{"type": "function", "name": "a b"}]}, "Invalid 'tools[0].name'"),
    ],
)
async def test_responses_refuses_illegal_settings(
    members: dict[str, Any], message: str, clients: Clients
) -> None:
    assert message in await refused(clients, "responses", [QUESTION], **members)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dropped(3), "The following tool_call_ids did not have response messages: call_"),
        (inserted(QUESTION, 3), "must be followed by tool messages responding to each"),
        (dropped(1), "messages with role 'tool' must be a response to a preceeding message"),
        (put("call_x", 3, "tool_call_id"), "must be a response to a preceeding message"),
        (put(repeated, slice(None)), "Duplicate value for 'tool_call_id'"),
        (put(None, 0, "content"), "Invalid value for 'content': expected a string, got null"),
        (put({}, 1, "tool_calls", 0, "function", "arguments"), "expected a string"),
        (put("[]", 1, "tool_calls", 0, "function", "arguments"), "the JSON text of an object"),
        (put([], 1, "tool_calls"), "tool_calls': empty array"),
        (put("Three.", 1, "reasoning_details", 0, "text"), "Invalid `signature`"),
        (dropped(1, "reasoning_details", 0), "Invalid `signature`"),
        (dropped(1, "reasoning_details", -1), "must match the one generated by the model"),
    ],
)
async def test_chat_refuses_illegal_histories(
    change: Change, message: str, clients: Clients
) -> None:
    history = await answered(clients, "chat")
    change(history)
    assert message in await refused(clients, "chat", history)


async def test_chat_takes_one_limit_of_tokens(clients: Clients, upstream: Upstream) -> None:
    await clients.output("chat", [QUESTION], max_tokens=20)
    await clients.output("chat", [QUESTION], max_completion_tokens=20)
    assert upstream.violations == []
    both = {"max_tokens": 20, "max_completion_tokens": 20}
    assert "at the same time" in await refused(clients, "chat", [QUESTION], **both)


@pytest.mark.parametrize("wire", ["anthropic", "responses", "chat"])
async def test_only_streams_are_served(wire: str, clients: Clients) -> None:
    assert "only streams" in await refused(clients, wire, [QUESTION], stream=False)
