"""A turnlog server in a process of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

READY = "turnlog is ready at "
ROOT = Path(__file__).parents[2]


class Words:
    """What a process says on its standard error, line by line."""

    def __init__(self) -> None:
        self.text = ""
        self._more = asyncio.Condition()

    async def add(self, line: bytes) -> None:
        """One more line."""
        async with self._more:
            self.text += line.decode()
            self._more.notify_all()

    async def include(self, words: str) -> str:
        """Wait until these words were said; all that was."""
        async with asyncio.timeout(30), self._more:
            await self._more.wait_for(lambda: words in self.text)
        return self.text


class Server:
    """A running server; `api` is the URL below which all routes are."""

    def __init__(self, process: asyncio.subprocess.Process, api: str, said: Words) -> None:
        self.process = process
        self.api = api
        self.said = said

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.send_signal(signal.SIGKILL)

    async def stop(self) -> int:
        """Ask it to stop; its exit code."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        return await self.process.wait()


@asynccontextmanager
async def server(
    *flags: str, env: Mapping[str, str] | None = None, port: int = 0
) -> AsyncIterator[Server]:
    """A server that is ready, on a free port unless told; it is stopped at the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "turnlog",
        "serve",
        "--port",
        str(port),
        *flags,
        cwd=ROOT,
        env={**_clean_environment(), **(env or {})},
        stderr=asyncio.subprocess.PIPE,
    )
    said = Words()
    reading: asyncio.Task[None] | None = None
    try:
        api = await _ready(process, said)
        reading = asyncio.create_task(_read_on(process, said))
        running = Server(process, api, said)
        yield running
        await running.stop()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        if reading is not None:
            await reading


def _clean_environment() -> dict[str, str]:
    """This environment without what would configure the server."""
    ours = ("TURNLOG_", "OPENAI_", "ANTHROPIC_", "OPENROUTER_", "LOCAL_", "DATABASE_URL")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


async def _ready(process: asyncio.subprocess.Process, said: Words) -> str:
    assert process.stderr is not None
    async for line in process.stderr:
        await said.add(line)
        if line.decode().startswith(READY):
            return line.decode().removeprefix(READY).strip()
    raise AssertionError(f"the server did not start:\n{said.text}")


async def _read_on(process: asyncio.subprocess.Process, said: Words) -> None:
    assert process.stderr is not None
    async for line in process.stderr:
        await said.add(line)
