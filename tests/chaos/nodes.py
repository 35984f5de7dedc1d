"""The server's nodes: real processes behind wires, killed, frozen, and started again."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import urlsplit

from msgspec import Struct

from tests.chaos.database import Database
from tests.chaos.diary import Diary
from tests.chaos.wires import Ends, Wire, wire
from tests.e2e.process import Server, server

STOP_SECONDS = 30.0
_PID_MASK = (1 << 22) - 1


class Life(Struct):
    """One process of a node; `name` is what it calls itself in the log.

    Times in seconds; `stopped_in` is from SIGTERM to its end.
    """

    pid: int
    said: list[str]
    name: str = ""
    code: int | None = None
    asked: bool = False
    started_in: float = 0.0
    stopped_in: float | None = None


class Node:
    """A place where one process runs at a time. `changing` is held by who ends and starts it."""

    def __init__(self, number: int, database: Database, env: Mapping[str, str], diary: Diary):
        self.number = number
        self.lives: list[Life] = []
        self.changing = asyncio.Lock()
        self.to_database: Wire
        self.to_clients: Wire
        self._database = database
        self._env = env
        self._diary = diary
        self._process: Server | None = None
        self._stack = AsyncExitStack()
        self._watching: asyncio.Task[None] | None = None

    @property
    def api(self) -> str:
        """Where clients reach it, whichever process it is."""
        return f"http://127.0.0.1:{self.to_clients.port}/api/v1"

    @property
    def life(self) -> Life:
        """The last process."""
        return self.lives[-1]

    async def start(self) -> None:
        """Start a process, again and again until one is ready."""
        while self._process is None:
            began = now()
            url = (
                f"postgresql://postgres@127.0.0.1:{self.to_database.port}/postgres?sslmode=disable"
            )
            try:
                starting = server("--database-url", url, env=self._env)
                self._process = await self._stack.enter_async_context(starting)
            except AssertionError as failure:
                if "turnlog has no database" not in str(failure):
                    self._diary.surprise(f"node {self.number} did not start:", failure)
                await asyncio.sleep(0.1)
            else:
                life = Life(pid=self._process.process.pid, said=self._process.said)
                life.started_in = now() - began
                self.lives.append(life)
                self._watching = asyncio.create_task(self._watch(self._process, life))

    def send(self, number: signal.Signals) -> None:
        """Send the process a signal."""
        if self._process is not None and self._process.process.returncode is None:
            self._process.process.send_signal(number)

    async def end(self, how: signal.Signals) -> None:
        """End the process, and wait until it is gone."""
        if self._process is None:
            return
        began = now()
        self.life.asked = True
        self.send(how)
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._process.process.wait()
        except TimeoutError:
            self._diary.surprise(f"node {self.number} did not stop in {STOP_SECONDS:g} s")
            self.send(signal.SIGKILL)
            await self._process.process.wait()
        if how == signal.SIGTERM:
            self.life.stopped_in = now() - began
        assert self._watching is not None
        await self._watching
        self._process = None
        await self._stack.aclose()

    async def connect(self) -> Ends:
        """A socket to the process."""
        if self._process is None:
            raise ConnectionRefusedError
        address = urlsplit(self._process.api)
        return await asyncio.open_connection(address.hostname, address.port)

    async def connect_to_database(self) -> Ends:
        """The node's own way to the database."""
        return await self._database.connect()

    async def _watch(self, process: Server, life: Life) -> None:
        """Learn its name, and how it ended."""
        naming = asyncio.create_task(self._learn_name(life))
        life.code = await process.process.wait()
        naming.cancel()
        if not life.asked:
            self._diary.surprise(f"node {self.number} ended by itself with", life.code)

    async def _learn_name(self, life: Life) -> None:
        while not life.name:
            try:
                for row in await self._database.rows("SELECT node, process FROM nodes"):
                    if row["process"] & _PID_MASK == life.pid:
                        life.name = row["node"]
            except Exception:
                await asyncio.sleep(0.1)


@asynccontextmanager
async def nodes(
    number: int, database: Database, env: Mapping[str, str], diary: Diary
) -> AsyncIterator[list[Node]]:
    """So many nodes at work; all processes are gone at the end."""
    async with AsyncExitStack() as stack:
        made = [Node(n, database, env, diary) for n in range(number)]
        for node in made:
            node.to_database = await stack.enter_async_context(wire(node.connect_to_database))
            node.to_clients = await stack.enter_async_context(wire(node.connect))
        try:
            await asyncio.gather(*(node.start() for node in made))
            yield made
        finally:
            await asyncio.gather(*(node.end(signal.SIGKILL) for node in made))


def now() -> float:
    """The time of day, as the log's `at` has it, in seconds."""
    return time.time()
