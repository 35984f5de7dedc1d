"""Whatever goes wrong upstream is told in our words, and nothing hangs."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any, NamedTuple

import pytest

from tests.providers.asking import KEY, VOICES, Heard, Voice, Voices, ask, heard, request, speaking
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
from turnlog.domain.errors import ModelFailed
from turnlog.domain.model import ItemDelta, UsageReported


class At(NamedTuple):
    """A server that is no upstream."""

    url: str
    openai_url: str


TEXT = "These are six and thirty characters."


async def failure(voice: Voice, into: Heard | None = None) -> ModelFailed:
    with pytest.raises(ModelFailed) as raised:
        await heard(voice, request(voice.model, "Hi"), into)
    assert raised.value.provider == voice.model.model_provider_id
    return raised.value


@pytest.mark.parametrize(
    ("fault", "reason", "retryable"),
    [
        (Fail(400), "invalid_request", False),
        (Fail(400, code="context_length_exceeded"), "context_too_long", False),
        (Fail(400, message="prompt is too long: 9 tokens > 8 maximum"), "context_too_long", False),
        (Fail(401), "authentication", False),
        (Fail(402), "rate_limited", False),
        (Fail(403), "authentication", False),
        (Fail(404), "invalid_request", False),
        (Fail(408), "provider_error", True),
        (Fail(413), "context_too_long", False),
        (Fail(422), "invalid_request", False),
        (Fail(429), "rate_limited", True),
        (Fail(500), "provider_error", True),
        (Fail(502), "provider_error", True),
        (Fail(503), "overloaded", True),
        (Fail(529), "overloaded", True),
    ],
)
async def test_each_status_has_its_reason(
    fault: Fail, reason: str, retryable: bool, upstream: Upstream, voice: Voice
) -> None:
    upstream.replies(fault)
    failed = await failure(voice)
    assert (failed.reason, failed.retryable) == (reason, retryable)
    assert len(upstream.requests) == 1, "the runtime retries, not the SDK"


@pytest.mark.parametrize("name", ["openai/responses", "openai/chat"])
async def test_a_spent_quota_is_not_retried(name: str, upstream: Upstream, voices: Voices) -> None:
    upstream.replies(Fail(429, code="insufficient_quota"))
    failed = await failure(voices[name])
    assert (failed.reason, failed.retryable) == ("rate_limited", False)


async def test_the_providers_own_words_are_told(upstream: Upstream, voice: Voice) -> None:
    upstream.replies(Fail(400, message="tools.0: \ud83d no such thing"))
    assert str(await failure(voice)) == "tools.0: \ufffd no such thing"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "3.5"}, 3.5),
        ({"Retry-After-Ms": "250"}, 0.25),
        ({"Retry-After": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0.0),
        ({"Retry-After": "soon"}, None),
        ({}, None),
    ],
)
async def test_how_long_to_wait_is_told(
    headers: dict[str, str], seconds: float | None, upstream: Upstream, voice: Voice
) -> None:
    upstream.replies(Fail(429, headers=headers))
    assert (await failure(voice)).retry_after == seconds


async def test_no_key_is_ever_told(upstream: Upstream) -> None:
    async with speaking(upstream, "bad-key") as voices:
        for name in VOICES:
            failed = await failure(voices[name])
            assert failed.reason == "authentication"
            assert "bad-key" not in str(failed)


async def test_no_key_is_told_by_a_provider_that_repeats_it(
    upstream: Upstream, voice: Voice
) -> None:
    upstream.replies(Fail(401, message=f"{KEY} and sk-ab***yz are not valid"))
    assert str(await failure(voice)) == "*** and *** are not valid"


@pytest.mark.parametrize("after", [0, 3])
@pytest.mark.parametrize("fault", [ErrorEvent, Failed])
async def test_an_error_in_the_stream_is_told(
    fault: Any, after: int, upstream: Upstream, voice: Voice
) -> None:
    upstream.replies(Reply([Say(TEXT)], fault=fault(after, message="Out of luck")))
    into = Heard([])
    failed = await failure(voice, into)
    assert "Out of luck" in str(failed)
    assert failed.retryable
    assert "".join(item.text for item in into.items) == TEXT[: after * 6]


@pytest.mark.parametrize(
    ("code", "reason", "retryable"),
    [
        ("overloaded_error", "overloaded", True),
        ("rate_limit_error", "rate_limited", True),
        ("rate_limit_exceeded", "rate_limited", True),
        ("invalid_request_error", "invalid_request", False),
        ("invalid_prompt", "invalid_request", False),
        ("authentication_error", "authentication", False),
        ("context_length_exceeded", "context_too_long", False),
        ("insufficient_quota", "rate_limited", False),
        ("api_error", "provider_error", True),
        ("server_error", "provider_error", True),
        ("never_heard_of", "provider_error", True),
    ],
)
async def test_an_errors_code_gives_its_reason(
    code: str, reason: str, retryable: bool, upstream: Upstream, voice: Voice
) -> None:
    upstream.replies(Reply([Say(TEXT)], fault=ErrorEvent(1, code=code)))
    failed = await failure(voice)
    assert (failed.reason, failed.retryable) == (reason, retryable)


async def test_an_error_may_be_nested(upstream: Upstream, voices: Voices) -> None:
    upstream.replies(Reply([Say(TEXT)], fault=ErrorEvent(1, message="Oh", nested=True)))
    assert "Oh" in str(await failure(voices["openai/responses"]))


@pytest.mark.parametrize("after", [0, 2, 99])
@pytest.mark.parametrize("how", ["close", "reset", "end"])
async def test_a_stream_that_is_cut_short_is_a_broken_connection(
    how: Any, after: int, upstream: Upstream, voice: Voice
) -> None:
    upstream.replies(Reply([Say(TEXT)], fault=Cut(after, how)))
    into = Heard([])
    failed = await failure(voice, into)
    assert (failed.reason, failed.retryable) == ("connection", True)
    assert not any(item.whole for item in into.items if after < 6)


async def test_a_step_that_breaks_still_tells_its_usage(upstream: Upstream, voice: Voice) -> None:
    upstream.replies(Reply([Say("word " * 400)], fault=Cut(300)))
    into = Heard([])
    await failure(voice, into)
    last = into.parts[-1]
    assert isinstance(last, UsageReported)
    assert last.usage.estimated
    assert last.usage.output_tokens == 450
    assert last.usage.input_tokens > 0


async def test_nobody_there_is_a_failed_connection() -> None:
    async with Upstream() as upstream:
        pass
    async with speaking(upstream) as voices:
        for name in VOICES:
            assert (await failure(voices[name])).reason == "connection"


async def test_an_answer_that_is_no_http_is_a_broken_connection() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n")
        writer.write(b"Transfer-Encoding: chunked\r\n\r\n3\r\n: \n\r\nthis is no chunk\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1") as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with speaking(At(url, url)) as voices:
            for name in VOICES:
                assert (await failure(voices[name])).reason == "connection"


async def test_what_is_no_stream_is_a_broken_connection(upstream: Upstream, voices: Voices) -> None:
    for name in VOICES:
        upstream.replies(Fail(200, message="not what you asked for"))
        assert (await failure(voices[name])).reason == "connection"


@pytest.mark.parametrize("fault", [NeverAnswer(), Silence(2), PingsOnly(2)])
async def test_a_provider_that_says_nothing_can_be_left(
    fault: Any, upstream: Upstream, voice: Voice
) -> None:
    upstream.replies(Reply([Say(TEXT)], fault=fault))
    asking = asyncio.create_task(ask(voice, "Hi"))
    await upstream.until(lambda up: up.answering == 1)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await upstream.until(lambda up: up.answering == 0)
    assert len(upstream.hangups) == 1


async def test_closing_the_answer_hangs_up(upstream: Upstream, voice: Voice) -> None:
    gate = upstream.hold(3)
    upstream.replies([Say(TEXT)])
    async with aclosing(voice.provider.stream(request(voice.model, "Hi"))) as parts:
        async for part in parts:
            if isinstance(part, ItemDelta):
                await gate.reached.wait()
                break
    await upstream.until(lambda up: bool(up.hangups))
    assert upstream.answering == 0


async def test_an_answer_that_nobody_wants_asks_nothing(upstream: Upstream, voice: Voice) -> None:
    await voice.provider.stream(request(voice.model, "Hi")).aclose()
    assert upstream.requests == []


async def test_a_finished_answer_leaves_its_connection_open(
    upstream: Upstream, voice: Voice
) -> None:
    for _ in range(3):
        await ask(voice, "Hi")
    assert upstream.connections == 1
