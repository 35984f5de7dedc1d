"""What a load does through the API, a few requests at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import aiohttp

BENCH = {"modelProviderId": "openai", "modelProviderApi": "responses", "model": "bench"}
DEMO = {"modelProviderId": "demo", "modelProviderApi": "script", "model": "demo"}
AT_ONCE = 16

T = TypeVar("T")
R = TypeVar("R")


class Client:
    """Speaks to one server; `api` is the URL below which all routes are."""

    def __init__(self, http: aiohttp.ClientSession, api: str) -> None:
        self.http = http
        self.api = api

    @property
    def root(self) -> str:
        """Where the server is, without a path."""
        return self.api.removesuffix("/api/v1")

    async def create(self, model: dict[str, str] = BENCH, **members: Any) -> str:
        """A new conversation; its id."""
        made = await self._post("/conversations", {**model, **members})
        return str(made["conversationId"])

    async def say(self, conversation_id: str, message: str) -> str:
        """Submit a message; the turn's id."""
        path = f"/conversations/{conversation_id}/messages"
        return str((await self._post(path, {"message": message}))["turnId"])

    async def cancel(self, turn_id: str) -> None:
        """Ask a turn to stop."""
        await self._post(f"/turns/{turn_id}/cancel", {})

    async def ended(self, turn_id: str) -> None:
        """Wait for a turn's end."""
        async for _ in self.follow(f"/turns/{turn_id}/stream-events?types=turn.completed"):
            pass

    async def follow(self, path: str) -> AsyncIterator[bytes]:
        """The chunks of a stream."""
        headers = {"Accept": "text/event-stream"}
        timeout = aiohttp.ClientTimeout(total=None)
        async with self.http.get(self.api + path, headers=headers, timeout=timeout) as answer:
            answer.raise_for_status()
            async for chunk in answer.content.iter_any():
                yield chunk

    async def get(self, path: str) -> bytes:
        """The body of an answer."""
        async with self.http.get(self.api + path) as answer:
            answer.raise_for_status()
            return await answer.read()

    async def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        async with self.http.post(self.api + path, json=body) as answer:
            if answer.status >= 400:
                raise RuntimeError(f"{path}: {await answer.text()}")
            answered: dict[str, Any] = await answer.json()
            return answered


@asynccontextmanager
async def client(api: str) -> AsyncIterator[Client]:
    """A client of the server."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as http:
        yield Client(http, api)


async def each(
    things: Iterable[T], do: Callable[[T], Awaitable[R]], at_once: int = AT_ONCE
) -> list[R]:
    """Do it with each thing, so many at once; the results in order."""
    turnstile = asyncio.Semaphore(at_once)

    async def one(thing: T) -> R:
        async with turnstile:
            return await do(thing)

    return list(await asyncio.gather(*(one(thing) for thing in things)))
