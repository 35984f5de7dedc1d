"""The log comes in the form that `Accept` wants most."""

from __future__ import annotations

import pytest

from tests.http.server import Api

JSON, SSE, LINES = "application/json", "text/event-stream", "application/x-ndjson"
AXIOS = "application/json, text/plain, */*"
FIREFOX = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("*/*", JSON),
        ("", JSON),
        (JSON, JSON),
        (SSE, SSE),
        ("TEXT/Event-Stream ; charset=utf-8", SSE),
        (LINES, LINES),
        (AXIOS, JSON),
        (FIREFOX, JSON),
        (f"{SSE}, {JSON}", SSE),
        (f"{JSON}, {SSE}", JSON),
        (f"{SSE}, */*", SSE),
        (f"{SSE};q=0.5, {JSON}", JSON),
        (f"{JSON};q=0, {SSE};q=0.1", SSE),
        (f"{JSON};q=0, */*", SSE),
        (f"{LINES};q=0.4, {JSON};q=0.5, {SSE};q=0.45", JSON),
        (f"{SSE};q=0.1, */*;q=0.2", JSON),
        (f"{SSE};q=nonsense", SSE),
    ],
)
async def test_a_log_is_sent_in_the_form_that_is_wanted_most(
    api: Api, accept: str, kind: str
) -> None:
    conversation = await api.create()
    path = f"/conversations/{conversation['conversationId']}/events?follow=false"

    answer = await api.get(path, headers={"Accept": accept})

    assert (answer.status, answer.headers["Content-Type"].partition(";")[0]) == (200, kind)


@pytest.mark.parametrize("accept", ["*/*", SSE, AXIOS, FIREFOX, f"{JSON}, {SSE};q=0.1", "text/*"])
async def test_a_turn_is_streamed_to_whoever_takes_a_stream(api: Api, accept: str) -> None:
    turn = await api.say(await api.create(), "/say yes")

    answer = await api.get(turn["streamUrl"], headers={"Accept": accept})

    assert (answer.status, answer.headers["Content-Type"].partition(";")[0]) == (200, SSE)


@pytest.mark.parametrize("accept", ["text/html", "image/*", f"{SSE};q=0", "*/*;q=0", "nonsense"])
async def test_who_takes_no_form_that_there_is_is_told_which_there_are(
    api: Api, accept: str
) -> None:
    conversation = await api.create()
    turn = await api.say(conversation, "/say yes")

    path = f"/conversations/{conversation['conversationId']}/events"
    log = await api.get(path, headers={"Accept": accept})
    stream = await api.get(turn["streamUrl"], headers={"Accept": accept})

    assert (log.status, log.code) == (stream.status, stream.code) == (406, "NOT_ACCEPTABLE")
    assert all(kind in log.message for kind in (JSON, SSE, LINES))
    assert SSE in stream.message
    assert JSON not in stream.message
