"""A server over streamable HTTP: one that goes away costs one call, and is found again."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.mcp.calling import call, given_up, heard, refusal, tool, unlisted
from tests.mcp.conftest import Clock, Serve
from tests.mcp.over_http import free_port, http_server, url_of
from turnlog.adapters.mcp import HttpWire

RIGHT = {"Authorization": "Bearer right"}


@pytest.mark.parametrize("words", [(), ("json",)], ids=["as a stream", "as JSON"])
async def test_tools_are_called(connect: Serve, words: tuple[str, ...]) -> None:
    port = free_port()
    async with http_server(port, *words):
        server = connect(lambda: HttpWire(url_of(port)))
        assert await call(server, "say", text="hello \U0001f600") == "hello \U0001f600"
        assert await call(server, "key") == "turn/call"
        assert (await call(server, "huge", size=5_000_000)).endswith("5,000,000 bytes]")
        assert "before it had answered" in await refusal(server, "huge", size=20_000_000)
        assert await call(server, "say", text="again") == "again"
        await server.close()


async def test_progress_and_changes_are_heard(connect: Serve) -> None:
    port = free_port()
    async with http_server(port):
        server = connect(lambda: HttpWire(url_of(port)))
        output, pieces = await heard(server, "report", steps=3, size=4)
        assert output == "".join(pieces) == "0001\n0002\n0003\ndone"
        before = await server.tools()
        await call(server, "grow")
        # The word comes on a connection of its own, so it may come after the answer.
        while await server.tools() is before:  # noqa: ASYNC110
            await asyncio.sleep(0)
        assert (await tool(server, "grown")).spec.name == "test__grown"
        await server.close()


async def test_a_call_that_is_cancelled_is_stopped(connect: Serve, tmp_path: Path) -> None:
    port = free_port()
    async with http_server(port):
        server = connect(lambda: HttpWire(url_of(port)))
        await given_up(server, "hang", path=str(tmp_path / "stopped"))
        assert await call(server, "say", text="again") == "again"
        assert (tmp_path / "stopped").exists()
        await server.close()


async def test_a_server_that_was_started_again_is_met_anew(connect: Serve) -> None:
    port = free_port()
    server = connect(lambda: HttpWire(url_of(port)))
    async with http_server(port):
        say = await tool(server, "say")
        assert await call(server, "say", text="before") == "before"
    async with http_server(port):
        assert await say.run({"text": "after"}, "key", _unheard) == "after"
        await server.close()


async def test_a_server_that_goes_away_costs_one_call(connect: Serve, clock: Clock) -> None:
    port = free_port()
    server = connect(lambda: HttpWire(url_of(port)))
    async with http_server(port) as process:
        say = await tool(server, "say")
        hanging = asyncio.create_task(refusal(server, "hang", path="/dev/null"))
        await call(server, "pid")
        process.kill()
        assert "before it had answered" in await hanging
    assert await unlisted(server) == "The tool server 'test' cannot be reached."
    assert "is tried again in 1 s at the earliest" in await unlisted(server)
    async with http_server(port):
        clock.now += 1
        assert await say.run({"text": "after"}, "key", _unheard) == "after"
        await server.close()


async def test_a_server_that_hangs_is_connected_with_anew(connect: Serve) -> None:
    port = free_port()
    server = connect(lambda: HttpWire(url_of(port)))
    async with http_server(port) as process:
        freeze = await tool(server, "freeze")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await freeze.run({}, "key", _unheard)
        process.kill()
        await process.wait()
    async with http_server(port):
        assert await call(server, "say", text="again") == "again"
        await server.close()


async def test_a_server_that_wants_other_headers_says_so(connect: Serve) -> None:
    port = free_port()
    async with http_server(port, "guarded"):
        server = connect(lambda: HttpWire(url_of(port), {"Authorization": "Bearer wrong"}))
        assert await unlisted(server) == (
            "The tool server 'test' refused the connection with the HTTP status 401."
        )
        server = connect(lambda: HttpWire(url_of(port), RIGHT))
        assert await call(server, "say", text="in") == "in"
        await server.close()


async def test_what_is_no_such_server_is_refused(connect: Serve) -> None:
    port = free_port()
    async with http_server(port):
        server = connect(lambda: HttpWire(url_of(port).replace("/mcp", "/other")))
        assert "refused the connection" in await unlisted(server)


async def _unheard(_: str) -> None:
    pass
