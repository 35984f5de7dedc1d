"""Servers that are like OpenAI's differ in small things, which make no difference to us."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from tests.providers.asking import Heard, Item, named, request
from turnlog.adapters.openai_chat.stream import ChatReader
from turnlog.adapters.wire.answering import MAX_ID
from turnlog.adapters.wire.answering import answer as answering
from turnlog.adapters.wire.failures import Service
from turnlog.adapters.wire.payloads import Garbled
from turnlog.domain.errors import ModelFailed
from turnlog.domain.model import ItemCompleted, StepFinished
from turnlog.domain.values import Usage

LOCAL = Service(provider="local", sdk_error=Exception, secret="")


def delta(finish: str | None = None, **members: Any) -> dict[str, Any]:
    return {"choices": [{"delta": members, "finish_reason": finish}]}


def call(name: str | None = None, arguments: Any = None, **members: Any) -> dict[str, Any]:
    return {"function": {"name": name, "arguments": arguments}, **members}


def heard(*chunks: dict[str, Any] | str | bytes) -> Heard:
    reader = ChatReader(LOCAL)
    answer = Heard([])
    for chunk in chunks:
        raw = chunk if isinstance(chunk, bytes) else _encoded(chunk)
        answer.parts += reader.read(raw)
    if reader.whole:
        usage = reader.usage or Usage(estimated=True)
        answer.parts.append(StepFinished(usage=usage, stop_reason=reader.stop_reason))
    return answer


def _encoded(chunk: dict[str, Any] | str) -> bytes:
    return json.dumps(chunk).encode()


def given(answer: Heard) -> list[Any]:
    return [part.provider_data for part in answer.parts if isinstance(part, ItemCompleted)]


def test_whole_calls_may_come_without_index_and_id() -> None:
    answer = heard(
        delta(tool_calls=[call("read", {"path": "a"}), call("list", "{}")]),
        delta("stop"),
        b"[DONE]",
    )
    assert answer.items == [
        Item("tool_call", '{"path":"a"}', "read"),
        Item("tool_call", "{}", "list"),
    ]
    assert (answer.stop, given(answer)) == ("tool_use", [None, None])


def test_whole_calls_may_all_have_the_index_0() -> None:
    answer = heard(
        delta(tool_calls=[call("read", "{}", index=0, id="a")]),
        delta("tool_calls", tool_calls=[call("list", "{}", index=0, id="b")]),
    )
    assert [item.name for item in answer.items] == ["read", "list"]
    assert given(answer) == [{"id": "a"}, {"id": "b"}]


def test_an_id_that_stands_for_two_calls_is_not_used_twice() -> None:
    answer = heard(
        delta("tool_calls", tool_calls=[call("a", "{}", index=i, id="same") for i in (0, 1)])
    )
    assert given(answer) == [{"id": "same"}, None]


def test_pieces_without_index_belong_to_the_last_call() -> None:
    answer = heard(
        delta(tool_calls=[call("read", '{"pa')]),
        delta("tool_calls", tool_calls=[call(None, '":1}')]),
    )
    assert answer.items == [Item("tool_call", '{"pa":1}', "read")]


def test_calls_may_be_written_side_by_side() -> None:
    answer = heard(
        delta(tool_calls=[call("a", "{", index=0, id="x"), call("b", "{", index=1, id="y")]),
        delta(tool_calls=[call(None, "}", index=1), call(None, "}", index=0)]),
        delta("tool_calls"),
    )
    assert [item.text for item in answer.items] == ["{}", "{}"]


def test_an_id_and_name_may_be_repeated_with_every_piece() -> None:
    answer = heard(
        delta(tool_calls=[call("read", "{", index=0, id="x")]),
        delta("tool_calls", tool_calls=[call("read", "}", index=0, id="x")]),
    )
    assert answer.items == [Item("tool_call", "{}", "read")]


def test_content_may_be_a_list_of_parts() -> None:
    answer = heard(delta("stop", content=[{"type": "text", "text": "Hi"}, "?"]))
    assert answer.items == [Item("message", "Hi")]


def test_kinds_may_take_turns() -> None:
    answer = heard(
        delta(reasoning="a"),
        delta(content=""),
        delta(reasoning_content="b"),
        delta(content="c"),
        delta(reasoning="d"),
        delta("stop", content="e"),
    )
    assert [(item.kind, item.text) for item in answer.items] == [
        ("thinking", "ab"),
        ("message", "c"),
        ("thinking", "d"),
        ("message", "e"),
    ]


def test_a_refusal_is_a_message() -> None:
    answer = heard(delta(refusal="I "), delta("stop", refusal="cannot."))
    assert (answer.items, answer.stop) == ([Item("message", "I cannot.")], "refusal")


def test_what_gemini_wants_back_is_kept() -> None:
    extra = {"google": {"thought_signature": "abc"}}
    answer = heard(delta("stop", tool_calls=[call("read", "{}", id="a", extra_content=extra)]))
    assert given(answer) == [{"id": "a", "extra_content": extra}]


def test_details_without_words_belong_to_what_is_open() -> None:
    detail = {"type": "reasoning.encrypted", "data": "abc", "index": 0}
    answer = heard(
        delta(content="Hi"),
        delta(reasoning_details=[detail]),
        delta("tool_calls", tool_calls=[call("read", "{}", index=0, id="a")]),
    )
    assert [item.kind for item in answer.items] == ["message", "tool_call"]
    assert given(answer)[0] == {"reasoning_details": [{"detail": detail}]}


def test_words_may_stand_in_the_details_alone() -> None:
    answer = heard(
        delta(reasoning_details=[{"type": "reasoning.summary", "summary": "a", "index": 0}]),
        delta(reasoning_details=[{"type": "reasoning.summary", "summary": "b", "index": 0}]),
        delta("stop", content="c"),
    )
    assert answer.items == [Item("thinking", "ab"), Item("message", "c")]


@pytest.mark.parametrize(
    ("finish", "stop"),
    [("stop", "end_turn"), ("length", "max_tokens"), ("eos", "unknown"), ("", None)],
)
def test_a_finish_reason_ends_the_answer(finish: str, stop: str | None) -> None:
    answer = heard(delta(content="Hi"), delta(finish))
    assert [part.stop_reason for part in answer.parts if isinstance(part, StepFinished)] == (
        [stop] if stop else []
    )


def test_usage_may_come_with_the_last_words_or_after() -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": None}
    assert heard(delta("stop") | {"usage": usage}).usage.input_tokens == 9
    assert heard(delta("stop"), {"choices": [], "usage": usage}).usage.output_tokens == 2
    again = heard(delta("stop"), delta("stop", content="") | {"usage": usage})
    assert (again.usage.input_tokens, again.items) == (9, [])


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ("out of memory", "provider_error"),
        ({"message": "Slow", "code": 429}, "rate_limited"),
        ({"message": "Gone", "code": 502}, "provider_error"),
        ({"message": "Bad", "code": "invalid_prompt"}, "invalid_request"),
        ({}, "provider_error"),
    ],
)
def test_an_error_may_have_any_shape(error: Any, reason: str) -> None:
    with pytest.raises(ModelFailed) as raised:
        heard(delta(content="H"), {"error": error})
    assert raised.value.reason == reason
    choice = {"delta": {"content": ""}, "finish_reason": "error"}
    with pytest.raises(ModelFailed):
        heard({"choices": [choice | ({"error": error} if isinstance(error, dict) else {})]})


class Rude:
    """A response that says this much, and then the connection breaks."""

    def __init__(self, said: bytes) -> None:
        self._said = said

    async def iter_bytes(self) -> AsyncIterator[bytes]:
        yield self._said
        raise httpx2.ReadError("broken")


@asynccontextmanager
async def rude(said: bytes) -> AsyncIterator[Rude]:
    yield Rude(said)


async def test_a_connection_may_break_when_all_was_said() -> None:
    said = b"data: " + _encoded(delta("stop", content="Hi")) + b"\n\n"
    asked = request(named("local/chat"), "Hi")
    answer = Heard(
        [part async for part in answering(asked, lambda: rude(said), ChatReader(LOCAL), LOCAL)]
    )
    assert (answer.items, answer.stop) == ([Item("message", "Hi")], "end_turn")
    assert answer.usage.estimated
    with pytest.raises(ModelFailed, match="broken"):
        [
            part
            async for part in answering(
                asked, lambda: rude(b"data: {}\n\n"), ChatReader(LOCAL), LOCAL
            )
        ]


async def test_an_id_of_any_length_fits_into_an_event() -> None:
    said = b"data: " + _encoded({"id": "x" * 300_000, **delta("stop", content="Hi")}) + b"\n\n"
    asked = request(named("local/chat"), "Hi")
    answer = [part async for part in answering(asked, lambda: rude(said), ChatReader(LOCAL), LOCAL)]
    finished = answer[-1]
    assert isinstance(finished, StepFinished)
    assert finished.response_id == "x" * MAX_ID


@pytest.mark.parametrize("payload", [b"<html>", b"[1]", b'{"choices": 7}', b"\xff"])
def test_what_cannot_be_understood_is_garbled(payload: bytes) -> None:
    with pytest.raises(Garbled):
        heard(payload)
