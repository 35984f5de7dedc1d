"""Servers that are real processes, and a look at what is left of them."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest
import pytest_asyncio
import uvloop

from turnlog.adapters.mcp import McpServer, Rules, StdioWire
from turnlog.adapters.mcp.wire import Wire

HERE = Path(__file__).parent
TROUBLESOME = str(HERE / "troublesome.py")
BARE = str(HERE / "bare.py")


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The server runs on uvloop; what may go wrong, goes wrong on the other one too."""
    loops = {"uvloop": uvloop.new_event_loop}
    both = {**loops, "asyncio": asyncio.new_event_loop}
    return both if item.path.stem == "test_trouble" else loops


class Clock:
    """A time that goes on only when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


Serve = Callable[..., McpServer]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest_asyncio.fixture
async def connect(clock: Clock) -> AsyncIterator[Callable[..., McpServer]]:
    """Servers over any wire. In the end nothing is left of them: no task, process or file."""
    files = _open_files()
    children = set(psutil.Process().children(recursive=True))
    servers: list[McpServer] = []

    def connected(wire: Callable[[], Wire], **rules: Any) -> McpServer:
        servers.append(McpServer("test", wire, Rules(**rules), now=clock))
        return servers[-1]

    yield connected
    await asyncio.gather(*(server.close() for server in servers))
    await _settled()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert set(psutil.Process().children(recursive=True)) <= children
    assert _open_files() <= files


@pytest.fixture
def troublesome(connect: Serve) -> McpServer:
    """The troublesome server, over its standard streams."""
    return connect(lambda: StdioWire(sys.executable, [TROUBLESOME]))


@pytest.fixture
def bare(connect: Serve) -> Serve:
    """One of the servers of `bare.py`."""

    def served(*words: str, **rules: Any) -> McpServer:
        return connect(lambda: StdioWire(sys.executable, [BARE, *words]), **rules)

    return served


def _open_files() -> int:
    """How many files, pipes and sockets are open. uvloop keeps /dev/null, once it had it."""
    folder = Path("/proc/self/fd")
    if not folder.exists():
        return 0
    opened = [os.readlink(it) for it in folder.iterdir() if it.is_symlink()]
    return len(opened) - opened.count("/dev/null")


async def _settled() -> None:
    """Let the loop close what it was told to close."""
    for _ in range(5):
        await asyncio.sleep(0)
