"""Clients that exist follow a stream: curl, httpx-sse, and Node's `eventsource`."""

from __future__ import annotations

import asyncio
import shutil

import httpx
import httpx_sse
import pytest

from tests.e2e.client import Client
from tests.e2e.process import ROOT

MESSAGE = "/think \u2028 odd \u0085 ends /say and a longer answer of some words /delay 5"
EVENTSOURCE = ROOT / "tests/clients/node_modules/eventsource"


async def test_curl_follows_a_turn_to_its_end(client: Client) -> None:
    submitted = await client.say(await client.create(), MESSAGE)
    url = f"{client.api}/turns/{submitted['turnId']}/stream-events"
    said = await _output("curl", "-sN", url)
    log = b"".join(frame.raw + b"\n" for frame in await client.turn(submitted))
    assert said.replace(b"retry: 3000\n", b"").removeprefix(b":keepalive\n\n") == log


async def test_curl_that_was_cut_off_goes_on_with_its_last_event_id(client: Client) -> None:
    submitted = await client.say(await client.create(), MESSAGE)
    url = f"{client.api}/turns/{submitted['turnId']}/stream-events"
    whole = [frame.offset for frame in await client.turn(submitted)]
    half = whole[len(whole) // 2]
    said = await _output("curl", "-sN", "-H", f"Last-Event-ID: {half}", url)
    ids = [int(line[4:]) for line in said.splitlines() if line.startswith(b"id: ")]
    assert ids == whole[len(whole) // 2 + 1 :]


async def test_httpx_sse_follows_a_turn(client: Client) -> None:
    submitted = await client.say(await client.create(), MESSAGE)
    url = f"{client.api}/turns/{submitted['turnId']}/stream-events"
    async with httpx.AsyncClient() as http, httpx_sse.aconnect_sse(http, "GET", url) as source:
        seen = [(event.id, event.event, event.data) async for event in source.aiter_sse()]
    log = [(frame.id, frame.event, frame.data) for frame in await client.turn(submitted)]
    assert seen == log


@pytest.mark.skipif(
    shutil.which("node") is None or not EVENTSOURCE.exists(),
    reason="needs Node and its `eventsource`, which `make test` installs where npm is",
)
async def test_nodes_eventsource_follows_a_turn_and_resumes(client: Client) -> None:
    submitted = await client.say(await client.create(), MESSAGE)
    url = f"{client.api}/turns/{submitted['turnId']}/stream-events"
    log = await client.turn(submitted)
    said = await _output(
        "node",
        "tests/clients/follow.mjs",
        url,
        "5",
        env={"EVENTS": ",".join({frame.event for frame in log}), "PATH": "/usr/bin:/bin"},
    )
    lines = [f"{frame.id} {frame.event} {frame.data}" for frame in log]
    assert said.decode().splitlines() == lines


async def _output(*command: str, env: dict[str, str] | None = None) -> bytes:
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, env=env, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    return output
