"""The troublesome server over streamable HTTP, in a process of its own."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.mcp.conftest import TROUBLESOME


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def url_of(port: int) -> str:
    return f"http://127.0.0.1:{port}/mcp"


@asynccontextmanager
async def http_server(port: int, *words: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Served as soon as it is begun: who connects waits. At the end it is killed."""
    with socket.create_server(("127.0.0.1", port)) as listener:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            TROUBLESOME,
            str(listener.fileno()),
            *words,
            pass_fds=[listener.fileno()],
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
