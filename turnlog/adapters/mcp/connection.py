"""One connection to a server, from the first word to the last."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

import anyio
from mcp import ClientSession, types
from mcp.client.session import IncomingMessage
from mcp.shared.exceptions import MCPError
from mcp.types import CONNECTION_CLOSED, METHOD_NOT_FOUND, UNSUPPORTED_PROTOCOL_VERSION
from mcp.types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from turnlog import __version__
from turnlog.adapters.mcp.wire import ServerFailed, Wire, reason_of

CLIENT = types.Implementation(name="turnlog", version=__version__)
ANSWER_SECONDS = 2.0
"""How long a server may leave a sign of life unanswered after a call was given up."""

ENDING_SECONDS = 1.0
CLOSING_SECONDS = 3.0
LIST_SECONDS = 300.0
"""For so long a list is good, of a server that would tell of changes."""

MOST_PAGES = 100


class Connection:
    """It lives in a task of its own, since the SDK's scopes are left where they were entered.

    What is asked over it may be asked from any task. `ended` is called when it is over.
    """

    def __init__(
        self, wire: Wire, *, start_seconds: float, ended: Callable[[Connection], None]
    ) -> None:
        self.wire = wire
        self.over = False
        self.reason = "was not started"
        self.asked_to_end = False
        self._start_seconds = start_seconds
        self._ended = ended
        self._session: ClientSession | None = None
        self._started = asyncio.Event()
        self._ending = asyncio.Event()
        self._scope = anyio.CancelScope()
        self._doubts: set[asyncio.Task[None]] = set()
        self._listing = asyncio.Lock()
        self._tools: Sequence[types.Tool] | None = None
        self._good_until = 0.0
        self._life = asyncio.create_task(self._live())

    async def session(self) -> ClientSession:
        """The SDK's session, when the server has answered. Raises `ServerFailed`."""
        await self._started.wait()
        if self._session is None or self.over:
            raise ServerFailed(self.reason)
        return self._session

    async def tools(self) -> Sequence[types.Tool]:
        """Its tools, asked for again when they may have changed.

        Raises `ServerFailed`, and `MCPError` where the server refuses to tell.
        """
        session = await self.session()
        async with self._listing:
            if self.over:
                raise ServerFailed(self.reason)
            if self._tools is None or time.monotonic() >= self._good_until:
                try:
                    with anyio.fail_after(self._start_seconds):
                        self._tools = await self._listed(session)
                except TimeoutError:
                    self.abort("did not tell its tools in time")
                    raise ServerFailed(self.reason) from None
            return self._tools

    async def _listed(self, session: ClientSession) -> Sequence[types.Tool]:
        """All pages. A change that is told meanwhile makes them old at once."""
        self._good_until = time.monotonic() + LIST_SECONDS
        tools: list[types.Tool] = []
        params = None
        for _ in range(MOST_PAGES):
            page = await session.list_tools(params=params)
            tools += page.tools
            if session.protocol_version in MODERN_PROTOCOL_VERSIONS:
                self._good_until = time.monotonic() + page.ttl_ms / 1000
            if page.next_cursor is None:
                break
            params = types.PaginatedRequestParams(cursor=page.next_cursor)
        return tools

    async def settled(self) -> None:
        """Wait until it is known whether the server still answers, where that is in doubt."""
        while self._doubts:
            await asyncio.wait(self._doubts)
        if self.wire.ended is not None:
            await self.closed()

    def give_up(self, asking: asyncio.Task[Any]) -> None:
        """Cancel what was asked, which tells the server; one that hangs is ended for it.

        Until that is known, nothing new is asked.
        """
        asking.cancel()
        doubt = asyncio.create_task(self._doubt(asking))
        self._doubts.add(doubt)
        doubt.add_done_callback(self._doubts.discard)

    async def _doubt(self, asking: asyncio.Task[Any]) -> None:
        answering = asyncio.create_task(self._sign_of_life(asking))
        await asyncio.wait({answering}, timeout=ANSWER_SECONDS)
        if not answering.done():
            self.abort("did not answer any more")
            answering.cancel()
            await asyncio.wait({answering})
        elif not answering.result():
            await self.closed()

    async def _sign_of_life(self, asking: asyncio.Task[Any]) -> bool:
        """Whether there is one, of whatever kind."""
        await asyncio.wait({asking})
        if self._session is None or self.over:
            return True
        try:
            await self._session.send_ping()
        except ValidationError:
            return True
        except MCPError as error:
            return error.code != CONNECTION_CLOSED
        return True

    async def closed(self, otherwise: str = "broke off the connection") -> None:
        """Wait for the reason why an answer never came, which is soon known; then it is over."""
        await asyncio.wait({self._life}, timeout=ENDING_SECONDS)
        self.abort(self.wire.ended or otherwise)

    def abort(self, reason: str) -> None:
        """End it at once, and the server with it if that is a child."""
        if not self.over:
            self._end(reason)
            self.wire.abort()
            self._scope.cancel()

    async def close(self) -> None:
        """End it in order."""
        self.asked_to_end = True
        self._ending.set()
        wait = CLOSING_SECONDS if self._session is not None else 0.0
        self._scope.deadline = min(self._scope.deadline, anyio.current_time() + wait)
        await asyncio.wait({self._life, *self._doubts})

    @property
    def gone(self) -> bool:
        """Nothing of it is left."""
        return self._life.done() and not self._doubts

    def _end(self, reason: str) -> None:
        self.over = True
        self.reason = reason
        self._started.set()
        self._ended(self)

    async def _live(self) -> None:
        try:
            with self._scope:
                async with (
                    self.wire.open() as (read, write),
                    ClientSession(
                        read, write, client_info=CLIENT, message_handler=self._hear
                    ) as session,
                ):
                    with anyio.fail_after(self._start_seconds):
                        await _shake_hands(session)
                    self._session = session
                    self._started.set()
                    await self._ending.wait()
        except Exception as failure:
            if not self.over:
                self._end(self._reason(failure))
        finally:
            if not self.over:
                self._end("was stopped")

    def _reason(self, failure: BaseException) -> str:
        if self._session is None and (status := self.wire.status):
            return f"refused the connection with the HTTP status {status}"
        return reason_of(failure)

    async def _hear(self, message: IncomingMessage) -> None:
        if isinstance(message, types.ToolListChangedNotification):
            self._good_until = 0.0


async def _shake_hands(session: ClientSession) -> None:
    """Begin as all servers know it; one that knows only the newer way says so.

    The other way round, a server that knows only the older one may hang, or end.
    """
    try:
        await session.initialize()
    except MCPError as error:
        if error.code not in (UNSUPPORTED_PROTOCOL_VERSION, METHOD_NOT_FOUND):
            raise
        await session.discover()
