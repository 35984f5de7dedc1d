"""A client that reads the API as any HTTP client would, without a line of turnlog in it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterable, AsyncIterator
from typing import Any

import aiohttp
from msgspec import Struct

DEMO = {"modelProviderId": "demo", "modelProviderApi": "script", "model": "demo"}


class Frame(Struct, frozen=True):
    """One server-sent event, with the bytes that it came in."""

    id: str
    event: str
    data: str
    raw: bytes

    @property
    def offset(self) -> int:
        return int(self.id)

    @property
    def payload(self) -> dict[str, Any]:
        payload: dict[str, Any] = json.loads(self.data)
        return payload


class Client:
    """Speaks to one server."""

    def __init__(self, http: aiohttp.ClientSession, api: str) -> None:
        self.http = http
        self.api = api

    async def create(self, **members: Any) -> str:
        """A new conversation; its id."""
        async with self.http.post(f"{self.api}/conversations", json={**DEMO, **members}) as answer:
            assert answer.status == 201, await answer.text()
            return str((await answer.json())["conversationId"])

    async def say(self, conversation_id: str, message: str, **members: Any) -> dict[str, Any]:
        """Submit a message; what the server answered."""
        url = f"{self.api}/conversations/{conversation_id}/messages"
        async with self.http.post(url, json={"message": message, **members}) as answer:
            assert answer.status == 202, await answer.text()
            submitted: dict[str, Any] = await answer.json()
            return submitted

    async def post(self, path: str, body: Any) -> tuple[int, Any]:
        """The status and the answer of a request with a body."""
        async with self.http.post(self.api + path, json=body) as answer:
            return answer.status, await answer.json(content_type=None)

    async def get(self, path: str) -> tuple[int, Any]:
        """The status and the answer of a request without one."""
        async with self.http.get(self.api + path) as answer:
            return answer.status, await answer.json(content_type=None)

    async def follow(
        self, path: str, after: int | None = None, **query: str
    ) -> AsyncIterator[Frame]:
        """The frames of a stream until it ends."""
        headers = {"Accept": "text/event-stream"}
        if after is not None:
            headers["Last-Event-ID"] = str(after)
        timeout = aiohttp.ClientTimeout(total=60)
        async with self.http.get(
            self.api + path, headers=headers, params=query, timeout=timeout
        ) as answer:
            if answer.status == 204:
                return
            assert answer.status == 200, await answer.text()
            async for frame in frames(answer.content):
                yield frame

    async def turn(self, submitted: dict[str, Any], after: int | None = None) -> list[Frame]:
        """All frames of a turn's stream, to its end."""
        path = f"/turns/{submitted['turnId']}/stream-events"
        return [frame async for frame in self.follow(path, after)]

    async def log(self, conversation_id: str) -> list[dict[str, Any]]:
        """The whole log as NDJSON has it."""
        url = f"{self.api}/conversations/{conversation_id}/events"
        async with self.http.get(url, headers={"Accept": "application/x-ndjson"}) as answer:
            assert answer.status == 200, await answer.text()
            return [json.loads(line) for line in (await answer.text()).splitlines()]


async def frames(content: AsyncIterable[bytes]) -> AsyncIterator[Frame]:
    """Read server-sent events as the specification says, for LF-only streams."""
    block: list[bytes] = []
    async for line in content:
        if line != b"\n":
            block.append(line)
            continue
        fields = dict(
            field.decode().rstrip("\n").split(": ", 1)
            for field in block
            if not field.startswith(b":")
        )
        if "data" in fields:
            raw = b"".join(field for field in block if not field.startswith(b"retry"))
            yield Frame(fields.get("id", ""), fields["event"], fields["data"], raw)
        block = []
