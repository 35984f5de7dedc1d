"""Programs of ours in processes of their own, told what to do a line of JSON at a time."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from benchmarks.apparatus.spent import processor_seconds

ROOT = Path(__file__).parents[2]
_LINE_BYTES = 1 << 24


class Program:
    """A running one; the first line that it said is `first`."""

    def __init__(self, process: Process, first: Any) -> None:
        self.pid = process.pid
        self.first = first
        self._process = process

    async def ask(self, **request: Any) -> Any:
        """Send a request; its answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        return await _line(self._process)

    def processor_seconds(self) -> float:
        """What it has cost so far."""
        return processor_seconds([self.pid])


@asynccontextmanager
async def program(module: str, *arguments: str) -> AsyncIterator[Program]:
    """The module as a program; it is ended when this is left."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments,
        cwd=ROOT, stdin=PIPE, stdout=PIPE, limit=_LINE_BYTES,
    )  # fmt: skip
    try:
        yield Program(process, await _line(process))
    finally:
        await end(process)


async def end(process: Process) -> None:
    """End a process that we started, if it runs."""
    if process.returncode is None:
        process.kill()
    await process.wait()


async def _line(process: Process) -> Any:
    assert process.stdout is not None
    line = await process.stdout.readline()
    if not line:
        raise RuntimeError("a program of the benchmarks has ended; what it said stands above")
    return json.loads(line)
