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
PATIENCE = 30.0  # seconds; nothing here takes so long unless it fails
ROOT = Path(__file__).parents[2]


class Server:
    """A running server; `api` is the URL below which all routes are."""

    def __init__(self, process: asyncio.subprocess.Process, api: str, said: list[str]) -> None:
        self.process = process
        self.api = api
        self.said = said
        self._news = asyncio.Event()
        self._silent = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self.said.append(line.decode())
            self._news.set()

    async def says(self, words: str, times: int = 1) -> None:
        """Wait until so many of its lines have the words."""
        while sum(words in line for line in self.said) < times:
            self._news.clear()
            try:
                async with asyncio.timeout(PATIENCE):
                    await self._news.wait()
            except TimeoutError:
                raise AssertionError(f"it never said {words!r}:\n{''.join(self.said)}") from None

    async def gone(self) -> None:
        """Wait until no process is left that could say anything, its workers included."""
        async with asyncio.timeout(PATIENCE):
            await self._silent

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
        env={**clean_environment(), **(env or {})},
        stderr=asyncio.subprocess.PIPE,
    )
    said: list[str] = []
    running: Server | None = None
    try:
        running = Server(process, await _ready(process, said), said)
        yield running
        await running.stop()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        if running is not None:
            await running.gone()


def clean_environment() -> dict[str, str]:
    """This environment without what would configure the server."""
    ours = ("TURNLOG_", "OPENAI_", "ANTHROPIC_", "OPENROUTER_", "LOCAL_", "DATABASE_URL")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


async def _ready(process: asyncio.subprocess.Process, said: list[str]) -> str:
    assert process.stderr is not None
    async for line in process.stderr:
        said.append(line.decode())
        if line.decode().startswith(READY):
            return line.decode().removeprefix(READY).strip()
    raise AssertionError(f"the server did not start:\n{''.join(said)}")
