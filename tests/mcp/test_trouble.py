"""What a child process does wrong is one failed call, and the next works; on both loops."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from tests.mcp.calling import PATIENCE, call, given_up, refusal, tool, unlisted
from tests.mcp.conftest import Clock, Serve
from turnlog.adapters.mcp import McpServer, StdioWire
from turnlog.domain.errors import ToolFailed


async def test_a_tool_that_crashes_its_server_is_one_failed_call(troublesome: McpServer) -> None:
    assert await refusal(troublesome, "crash") == (
        "The tool server 'test' ended with exit code 7 before it had answered; it may have done "
        "what was asked."
    )
    assert await call(troublesome, "say", text="again") == "again"


async def test_calls_beside_one_that_crashes_fail_too_and_are_told_why(
    troublesome: McpServer, tmp_path: Path
) -> None:
    hanging = asyncio.create_task(refusal(troublesome, "hang", path=str(tmp_path / "f")))
    await call(troublesome, "pid")
    await refusal(troublesome, "crash")
    assert "exit code 7" in await hanging


async def test_a_server_that_keeps_crashing_is_left_alone_for_a_while(
    troublesome: McpServer, clock: Clock
) -> None:
    await refusal(troublesome, "crash")
    crash = await tool(troublesome, "crash")
    await refusal(troublesome, "crash")
    assert await unlisted(troublesome) == (
        "The tool server 'test' ended with exit code 7, and not for the first time. It is tried "
        "again in 1 s at the earliest."
    )
    clock.now += 1
    assert await call(troublesome, "say", text="again") == "again"
    assert crash.spec.name == "test__crash"


async def test_a_server_that_is_killed_between_calls_is_started_again(
    troublesome: McpServer,
) -> None:
    number = int(await call(troublesome, "pid"))
    with ending(number) as ends:
        os.kill(number, signal.SIGKILL)
        await ends()
    # That it has ended may not have been noticed yet: then this is the one call that fails.
    with suppress(ToolFailed):
        await call(troublesome, "pid")
    assert int(await call(troublesome, "pid")) != number


async def test_a_call_that_is_cancelled_is_stopped_by_the_server(
    troublesome: McpServer, tmp_path: Path
) -> None:
    number = await call(troublesome, "pid")
    await given_up(troublesome, "hang", path=str(tmp_path / "stopped"))
    assert await call(troublesome, "pid") == number
    assert (tmp_path / "stopped").exists()


async def test_a_server_that_hangs_is_killed_and_started_again(troublesome: McpServer) -> None:
    number = int(await call(troublesome, "pid"))
    freeze = await tool(troublesome, "freeze")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await freeze.run({}, "key", _unheard)
    assert int(await call(troublesome, "pid")) != number
    assert not psutil.pid_exists(number)


async def test_a_server_that_does_not_read_hangs_too(bare: Serve) -> None:
    server = bare("deaf")
    only = await tool(server, "only")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await only.run({"text": "x" * 8_000_000}, "key", _unheard)
    assert [found.spec.name for found in await server.tools()] == ["test__only"]


async def test_a_server_that_never_begins_is_given_up(bare: Serve, tmp_path: Path) -> None:
    server = bare("mute", str(tmp_path / "spoken to"), start_seconds=0.3)
    assert await unlisted(server) == "The tool server 'test' did not answer in time."
    server = bare("mute", str(tmp_path / "spoken to"))
    assert await call(server, "only") == "only"


async def test_those_who_wait_for_a_server_wait_for_the_same_one(troublesome: McpServer) -> None:
    numbers = await asyncio.gather(*(call(troublesome, "pid") for _ in range(10)))
    assert len(set(numbers)) == 1


async def test_who_gives_up_waiting_does_not_stop_the_others(troublesome: McpServer) -> None:
    first = asyncio.create_task(troublesome.tools())
    second = asyncio.create_task(troublesome.tools())
    await asyncio.sleep(0)
    first.cancel()
    assert len(await second) > 1


async def test_a_server_that_refuses_says_why(bare: Serve) -> None:
    assert await unlisted(bare("error", "no licence")) == (
        "The tool server 'test' refused the connection: no licence."
    )


@pytest.mark.parametrize(
    ("command", "cwd", "why"),
    [
        ("/no/such/command", None, "could not be started: No such file or directory"),
        ("/etc/passwd", None, "could not be started: Permission denied"),
        (sys.executable, "/no/such/folder", "could not be started: its folder is not there"),
        ("true", None, "ended with exit code 0"),
    ],
)
async def test_a_server_that_cannot_be_started_says_why(
    connect: Serve, command: str, cwd: str | None, why: str
) -> None:
    server = connect(lambda: StdioWire(command, cwd=cwd))
    assert await unlisted(server) == f"The tool server 'test' {why}."


async def test_a_message_without_end_is_one_failed_call(bare: Serve) -> None:
    server = bare("endless")
    assert "sent a message of more than 16,777,216 bytes" in await refusal(server, "only")
    assert [found.spec.name for found in await server.tools()] == ["test__only"]


async def test_what_is_no_message_is_passed_over_and_standard_error_holds_up_nothing(
    bare: Serve,
) -> None:
    assert await call(bare("babble", "3000000"), "only") == "said"


async def test_what_a_server_left_behind_ends_with_it(troublesome: McpServer) -> None:
    with ending(int(await call(troublesome, "leave_child_behind"))) as ends:
        await refusal(troublesome, "crash")
        await ends()


async def test_a_server_that_was_closed_takes_no_call(troublesome: McpServer) -> None:
    found = await tool(troublesome, "say")
    hanging = asyncio.create_task(refusal(troublesome, "hang", path="/dev/null"))
    await call(troublesome, "pid")
    await troublesome.close()
    assert "before it had answered" in await hanging
    with pytest.raises(Exception, match="is being stopped"):
        await found.run({"text": "late"}, "key", _unheard)


async def _unheard(_: str) -> None:
    pass


@contextmanager
def ending(pid: int) -> Iterator[Callable[[], Awaitable[None]]]:
    """The process, and to wait for its end: without taking its exit code from those it is for."""
    descriptor = os.pidfd_open(pid)

    async def ends() -> None:
        ended, _, _ = await asyncio.to_thread(select.select, [descriptor], [], [], PATIENCE)
        assert ended

    try:
        yield ends
    finally:
        os.close(descriptor)
