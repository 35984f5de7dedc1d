"""A server that is a child process: one message a line, over its standard streams."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from subprocess import DEVNULL

import anyio
import structlog
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.client._transport import TransportStreams
from mcp.client.stdio import get_default_environment
from mcp.shared.message import SessionMessage
from mcp.types import jsonrpc_message_adapter

from turnlog.adapters.mcp.child import Child, LineTooLong
from turnlog.adapters.mcp.launching import launched
from turnlog.adapters.mcp.wire import LONGEST_MESSAGE, ServerFailed

SILENT = "stopped listening"
Incoming = SessionMessage | Exception

log = structlog.get_logger(__name__)


class StdioWire:
    """A server that is started by a command, and ended with the connection.

    Of this process's environment it is given what the SDK thinks safe (`PATH`, `HOME` and
    the like), and beside it `env`. What it writes to standard error goes to the end of
    `stderr_file`, else nowhere.
    """

    def __init__(
        self,
        command: str,
        arguments: Sequence[str] = (),
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        stderr_file: str | None = None,
    ) -> None:
        self.lost = False
        self.ended: str | None = None
        self.status: int | None = None
        self._command, self._arguments = command, tuple(arguments)
        self._env = env or {}
        self._cwd = cwd
        self._stderr_file = stderr_file
        self._child: Child | None = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[TransportStreams]:
        """Start the server, and end it in the end. Raises `ServerFailed`, also when it is gone."""
        self._child = child = await self._start()
        into, incoming = anyio.create_memory_object_stream[Incoming](0)
        outgoing, out_of = anyio.create_memory_object_stream[SessionMessage](0)
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._hear, child, into)
                tasks.start_soon(self._say, child, out_of)
                yield incoming, outgoing
                tasks.cancel_scope.cancel()
        finally:
            for stream in (into, incoming, outgoing, out_of):
                stream.close()
            await child.end()

    async def _hear(self, child: Child, into: MemoryObjectSendStream[Incoming]) -> None:
        try:
            await _hear(child, into)
        except LineTooLong:
            self.ended = f"sent a message of more than {LONGEST_MESSAGE:,} bytes"
            child.kill()
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            return
        await self._end(child)

    async def _say(self, child: Child, out_of: MemoryObjectReceiveStream[SessionMessage]) -> None:
        try:
            async for sent in out_of:
                text = sent.message.model_dump_json(by_alias=True, exclude_unset=True)
                child.say(text.encode() + b"\n")
        except OSError:
            await self._end(child)

    async def _end(self, child: Child) -> None:
        """Say why it is over, by raising."""
        self.ended = self.ended or SILENT
        if self.ended == SILENT:
            self.ended = _ending(await child.returncode())
        raise ServerFailed(self.ended)

    def abort(self) -> None:
        """Kill it."""
        if self._child is not None:
            self._child.kill()

    async def _start(self) -> Child:
        environment = {**get_default_environment(), **self._env}
        if self._cwd is not None and not os.path.isdir(self._cwd):  # noqa: ASYNC240
            raise ServerFailed("could not be started: its folder is not there")
        try:
            stderr = DEVNULL if self._stderr_file is None else _opened(self._stderr_file)
            try:
                return await Child.start(
                    launched(self._command, self._arguments, environment),
                    env=environment,
                    cwd=self._cwd,
                    stderr=stderr,
                    longest=LONGEST_MESSAGE,
                )
            finally:
                if stderr != DEVNULL:
                    os.close(stderr)
        except OSError as error:
            raise ServerFailed(f"could not be started: {error.strerror or 'no reason'}") from error


def _opened(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


async def _hear(child: Child, into: MemoryObjectSendStream[Incoming]) -> None:
    """Hand over its messages; what is no message is not told, since it may be anything."""
    garbage = False
    while (line := await child.line()) is not None:
        try:
            message = jsonrpc_message_adapter.validate_json(line, by_name=False)
        except ValueError:
            if not garbage and line.strip():
                garbage = True
                log.info("mcp.not_a_message", bytes=len(line))
            continue
        await into.send(SessionMessage(message))


def _ending(code: int | None) -> str:
    if code is None:
        return SILENT
    return f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
