"""How the upstream fails, and how its failures look through the official SDKs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import anthropic
import httpx2
import openai
import pytest

from tests.upstream import (
    Cut,
    ErrorEvent,
    Fail,
    Failed,
    NeverAnswer,
    PingsOnly,
    Reply,
    Say,
    Silence,
    Upstream,
)
from tests.upstream.driving import WIRES, Clients, connected

TEXT = "These are six and thirty characters."


@pytest.fixture
async def clients() -> AsyncIterator[Clients]:
    async with connected() as clients:
        yield clients


@pytest.fixture
def upstream(clients: Clients) -> Upstream:
    return clients.upstream


def said(events: list[Any]) -> str:
    """The text in a raw stream's events, whatever the wire."""
    text = ""
    for event in events:
        kind = getattr(event, "type", "")
        if kind == "content_block_delta":
            text += event.delta.text
        elif kind == "response.output_text.delta":
            text += event.delta
        elif getattr(event, "choices", None):
            text += event.choices[0].delta.content or ""
    return text


async def drain(clients: Clients, wire: str, events: list[Any]) -> None:
    async with await clients.ask(wire, "hi") as stream:
        async for event in stream:
            events.append(event)


@pytest.mark.parametrize(
    ("fault", "of_anthropic", "of_openai"),
    [
        (Fail(400), anthropic.BadRequestError, openai.BadRequestError),
        (Fail(401), anthropic.AuthenticationError, openai.AuthenticationError),
        (Fail(404), anthropic.NotFoundError, openai.NotFoundError),
        (Fail(413), anthropic.ContentTooLargeError, openai.APIStatusError),
        (Fail(429, retry_after=2), anthropic.RateLimitError, openai.RateLimitError),
        (Fail(500), anthropic.InternalServerError, openai.InternalServerError),
        (Fail(503), anthropic.ServiceUnavailableError, openai.InternalServerError),
        (Fail(529), anthropic.OverloadedError, openai.InternalServerError),
    ],
)
async def test_http_errors_are_the_providers_own(
    fault: Fail, of_anthropic: Any, of_openai: Any, clients: Clients, upstream: Upstream
) -> None:
    for wire in WIRES:
        upstream.replies(fault)
        with pytest.raises(of_anthropic if wire == "anthropic" else of_openai) as raised:
            await clients.ask(wire, "hi")
        assert raised.value.status_code == fault.status
        assert raised.value.request_id
        if fault.retry_after:
            assert raised.value.response.headers["retry-after"] == "2"
    assert upstream.violations == []


async def test_a_context_that_is_too_long_is_told_as_each_provider_tells_it(
    clients: Clients, upstream: Upstream
) -> None:
    upstream.replies(*[Fail(400, code="context_length_exceeded")] * 2)
    with pytest.raises(anthropic.BadRequestError, match="prompt is too long"):
        await clients.ask("anthropic", "hi")
    with pytest.raises(openai.BadRequestError) as raised:
        await clients.ask("responses", "hi")
    assert raised.value.code == "context_length_exceeded"


async def test_the_sdks_retry_what_may_pass() -> None:
    async with connected(max_retries=2) as clients:
        for wire in WIRES:
            overloaded = Fail(503, headers={"retry-after-ms": "1"})
            clients.upstream.replies(overloaded, Fail(429, retry_after=0.001), Say(TEXT))
            events: list[Any] = []
            await drain(clients, wire, events)
            assert said(events) == TEXT
        retries = [r.headers["x-stainless-retry-count"] for r in clients.upstream.requests]
        assert retries == ["0", "1", "2"] * 3


@pytest.mark.parametrize("wire", WIRES)
async def test_an_error_event_ends_the_stream(
    wire: str, clients: Clients, upstream: Upstream
) -> None:
    upstream.replies(Reply([Say(TEXT)], fault=ErrorEvent(after=2, nested=True)))
    events: list[Any] = []
    with pytest.raises((anthropic.APIStatusError, openai.APIError)):
        await drain(clients, wire, events)
    assert said(events) == TEXT[:12]


@pytest.mark.parametrize(
    ("fault", "kind"), [(ErrorEvent(1), "error"), (Failed(1), "response.failed")]
)
async def test_responses_may_also_tell_an_error_without_one_raised(
    fault: ErrorEvent | Failed, kind: str, clients: Clients, upstream: Upstream
) -> None:
    upstream.replies(Reply([Say(TEXT)], fault=fault))
    events: list[Any] = []
    await drain(clients, "responses", events)
    assert events[-1].type == kind
    assert events[-1].sequence_number == len(events) - 1


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("how", ["close", "reset"])
async def test_a_connection_may_be_cut(
    wire: str, how: Any, clients: Clients, upstream: Upstream
) -> None:
    upstream.replies(Reply([Say(TEXT)], fault=Cut(after=2, how=how)))
    events: list[Any] = []
    with pytest.raises((httpx2.TransportError, openai.APIConnectionError)):
        await drain(clients, wire, events)
    assert TEXT[:12].startswith(said(events))
    assert upstream.hangups == []


@pytest.mark.parametrize("wire", WIRES)
async def test_a_body_may_end_early_and_nobody_complains(
    wire: str, clients: Clients, upstream: Upstream
) -> None:
    upstream.replies(Reply([Say(TEXT)], fault=Cut(after=2, how="end")))
    events: list[Any] = []
    await drain(clients, wire, events)
    assert said(events) == TEXT[:12]


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("fault", [NeverAnswer(), Silence(2)])
async def test_silence_is_told_by_the_clients_read_timeout(
    wire: str, fault: NeverAnswer | Silence
) -> None:
    async with connected(timeout=0.05) as clients:
        clients.upstream.replies(Reply([Say(TEXT)], fault=fault))
        with pytest.raises((httpx2.ReadTimeout, anthropic.APITimeoutError, openai.APITimeoutError)):
            await drain(clients, wire, [])
        await clients.upstream.until(lambda upstream: len(upstream.hangups) == 1)


@pytest.mark.parametrize("wire", WIRES)
async def test_pings_hold_off_the_read_timeout(
    wire: str, clients: Clients, upstream: Upstream
) -> None:
    upstream.replies(Reply([Say(TEXT)], fault=PingsOnly(after=2, every=0.001)))
    events: list[Any] = []
    task = asyncio.create_task(drain(clients, wire, events))
    await upstream.until(lambda upstream: upstream.pings >= 20)
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await upstream.until(lambda upstream: len(upstream.hangups) == 1)
    assert said(events) == TEXT[:12]


@pytest.mark.parametrize("wire", WIRES)
async def test_a_gate_holds_the_stream_before_a_delta(
    wire: str, clients: Clients, upstream: Upstream
) -> None:
    gate = upstream.hold(before=2)
    upstream.replies(Say(TEXT))
    events: list[Any] = []
    task = asyncio.create_task(drain(clients, wire, events))
    await gate.reached.wait()
    assert upstream.answering == 1
    assert TEXT[:12].startswith(said(events))
    gate.open()
    await task
    assert said(events) == TEXT
    await upstream.until(lambda upstream: upstream.answering == 0)
    assert upstream.hangups == []


@pytest.mark.parametrize("wire", WIRES)
async def test_a_reader_that_leaves_is_noticed(
    wire: str, clients: Clients, upstream: Upstream
) -> None:
    gate = upstream.hold(before=1)
    async with await clients.ask(wire, "hi"):
        await gate.reached.wait()
        assert upstream.connections == 1
    await upstream.until(lambda upstream: len(upstream.hangups) == 1)
    assert upstream.answering == 0


async def test_raw_lines_break_at_separators_that_json_leaves_alone(
    clients: Clients, upstream: Upstream
) -> None:
    upstream.replies(Say("a\u2028b"), Say("a\u2028b"))
    asked: Any = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": True}
    raw = clients.openai.chat.completions.with_streaming_response
    async with raw.create(**asked) as response:
        lines = [line async for line in response.iter_lines()]
    assert not any('"content":"a\u2028b"' in line for line in lines)
    async with raw.create(**asked) as response:
        body = b"".join([chunk async for chunk in response.iter_bytes()])
    assert '"content":"a\u2028b"'.encode() in body


async def test_a_key_may_be_refused() -> None:
    async with connected(api_key="bad-key") as clients:
        with pytest.raises(anthropic.AuthenticationError):
            await clients.ask("anthropic", "hi")
        with pytest.raises(openai.AuthenticationError):
            await clients.ask("chat", "hi")
        assert clients.upstream.violations == []
