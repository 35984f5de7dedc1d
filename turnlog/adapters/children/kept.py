"""Starting a command below a keeper, and ending it with all that it has started."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import structlog

KEEPER = Path(__file__).with_name("keeper.py")
BUFFER = 64 * 1024
PATIENCE = 5.0  # seconds; what takes longer to die hangs in the kernel, and the keeper waits for it

log = structlog.get_logger(__name__)

_endings: set[asyncio.Task[None]] = set()


def kept_command(command: Sequence[str], limits: Mapping[str, int] | None = None) -> list[str]:
    """The same command below a keeper, for this process to start: it dies with it.

    SIGTERM to the keeper ends all of it at once. For `limits` see `keeper.set_limit`;
    `processes` is one more, which holds for root, where there are control groups.
    """
    settings = [f"{name}={number}" for name, number in (limits or {}).items()]
    return [sys.executable, "-I", "-S", str(KEEPER), str(os.getpid()), *settings, "--", *command]


class KeptProcess:
    """A command that runs below a keeper. It reads nothing; what it says comes by one pipe."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        self.output: asyncio.StreamReader = process.stdout
        self._process = process
        try:
            # A process id may be another's once the process has ended; this may not.
            self._handle = os.pidfd_open(process.pid)
        except ProcessLookupError:
            self._handle = -1

    async def code(self) -> int:
        """Wait until nothing is left of it; as a shell's, or below 0: the keeper was killed.

        What it says has to be read before.
        """
        return await self._process.wait()

    def end(self) -> None:
        """Begin to kill it, and all that it has started."""
        try:
            if self._handle >= 0:
                signal.pidfd_send_signal(self._handle, signal.SIGTERM)
        except ProcessLookupError:
            pass

    async def ended(self) -> None:
        """Kill it, and wait until nothing is left of it."""
        self.end()
        try:
            async with asyncio.timeout(PATIENCE):
                while await self.output.read(BUFFER):
                    pass
                await self._process.wait()
        except TimeoutError:
            log.warning("child.does_not_end", pid=self._process.pid)
        finally:
            handle, self._handle = self._handle, -1
            if handle >= 0:
                os.close(handle)


@asynccontextmanager
async def kept_process(
    command: Sequence[str],
    *,
    folder: str | os.PathLike[str],
    environment: Mapping[str, str],
    limits: Mapping[str, int] | None = None,
) -> AsyncIterator[KeptProcess]:
    """Run the command; afterwards nothing of it is left. Raises `OSError`.

    Cancelled a second time, it no longer waits until all has ended.
    """

    async def start() -> KeptProcess:
        return KeptProcess(
            await asyncio.create_subprocess_exec(
                *kept_command(command, limits),
                cwd=folder,
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                limit=BUFFER,
            )
        )

    async def end() -> None:
        await asyncio.wait([starting])
        if not starting.cancelled() and starting.exception() is None:
            await starting.result().ended()

    # A start that is cancelled half way would leave a process that nobody knows.
    starting = asyncio.create_task(start())
    try:
        yield await asyncio.shield(starting)
    finally:
        ending = asyncio.create_task(end())
        _endings.add(ending)
        ending.add_done_callback(_endings.discard)
        await asyncio.shield(ending)
