"""A child process that is spoken with in lines: bounded, and gone when it is ended."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from typing import cast

import anyio

GRACE_SECONDS = 1.0
"""How long a process may take to end by itself, and then again when it is told to."""

REAPING_SECONDS = 2.0
LINGERING_SECONDS = 0.5
MOST_UNREAD = 1024 * 1024
MOST_UNWRITTEN = 32 * 1024 * 1024


class LineTooLong(Exception):
    """A line was longer than it may be."""


class Child(asyncio.SubprocessProtocol):
    """The process, in a group of its own. Its lines are read as they are asked for."""

    def __init__(self, longest_line: int) -> None:
        self._longest = longest_line
        self._exited = asyncio.Event()
        self._news = asyncio.Event()
        self._lines: deque[bytes] = deque()
        self._unread = 0
        self._begun: list[bytes] = []
        self._begun_size = 0
        self._silent = False
        self._paused = False

    @classmethod
    async def start(
        cls,
        command: list[str],
        *,
        env: Mapping[str, str],
        cwd: str | None,
        stderr: int,
        longest: int,
    ) -> Child:
        """Start it. Raises `OSError`."""
        _, child = await asyncio.get_running_loop().subprocess_exec(
            lambda: cls(longest),
            *command,
            env=env,
            cwd=cwd,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=stderr,
            start_new_session=True,
        )
        return child

    async def returncode(self) -> int | None:
        """The exit code of one that fell silent; minus the signal that killed it; None if it runs.

        The end of its words is often heard before its own.
        """
        await self._ends_within(LINGERING_SECONDS)
        return self._transport.get_returncode()

    async def line(self) -> bytes | None:
        """The next line without its end; None when there will be none. Raises `LineTooLong`."""
        while not self._lines:
            if self._begun_size > self._longest:
                raise LineTooLong
            if self._silent:
                return None
            self._resume()
            self._news.clear()
            await self._news.wait()
        line = self._lines.popleft()
        self._unread -= len(line)
        return line

    def say(self, line: bytes) -> None:
        """Write a line, without waiting. Raises `OSError` if it is gone, or does not read."""
        if self._stdin.is_closing() or self._stdin.get_write_buffer_size() > MOST_UNWRITTEN:
            raise BrokenPipeError
        self._stdin.write(line)

    def kill(self) -> None:
        """End it and its group at once."""
        self._signal(signal.SIGKILL)

    async def end(self) -> None:
        """Let it end by itself, then tell it to, then kill it; with what it left behind."""
        try:
            with anyio.CancelScope(shield=True):
                self._stdin.close()
                self._resume()
                if not await self._ends_within(GRACE_SECONDS):
                    self._signal(signal.SIGTERM)
                    if not await self._ends_within(GRACE_SECONDS):
                        self.kill()
                        await self._ends_within(REAPING_SECONDS)
        finally:
            self.kill()
            self._transport.close()

    async def _ends_within(self, seconds: float) -> bool:
        with anyio.move_on_after(seconds):
            await self._exited.wait()
        return self._exited.is_set()

    def _signal(self, number: signal.Signals) -> None:
        # The group has the number of its leader, which nobody else has while one of it lives.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._transport.get_pid(), number)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        self._transport = cast(asyncio.SubprocessTransport, transport)
        self._stdin = cast(asyncio.WriteTransport, self._transport.get_pipe_transport(0))
        self._stdout = cast(asyncio.ReadTransport, self._transport.get_pipe_transport(1))

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Called by the loop. What is not asked for stays in the pipe, and holds up the writer."""
        head, *rest = data.split(b"\n")
        for following in rest:
            self._lines.append(b"".join((*self._begun, head)))
            self._unread += len(self._lines[-1])
            self._begun, self._begun_size, head = [], 0, following
        if head:
            self._begun.append(head)
            self._begun_size += len(head)
        if (self._unread > MOST_UNREAD or self._begun_size > self._longest) and not self._paused:
            self._paused = True
            self._stdout.pause_reading()
        self._news.set()

    def _resume(self) -> None:
        if self._paused and not self._stdout.is_closing():
            self._paused = False
            self._stdout.resume_reading()

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        """Called by the loop. A process that cannot hear or cannot speak has nothing to say."""
        self._fall_silent()

    def process_exited(self) -> None:
        """Called by the loop. Its last words may still be in the pipe, and others hold it open."""
        self._exited.set()
        asyncio.get_running_loop().call_later(LINGERING_SECONDS, self._fall_silent)

    def _fall_silent(self) -> None:
        self._silent = True
        self._news.set()
