"""Webhook receivers: one that is called directly, and one that is a real HTTP server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from msgspec import Struct
from standardwebhooks.webhooks import Webhook as Verifier

from turnlog.domain.errors import DeliveryFailed
from turnlog.domain.webhooks import Webhook


class Message(Struct, frozen=True):
    """One message that was received."""

    id: str
    body: dict[str, Any]

    @property
    def place(self) -> tuple[str, int]:
        """Of which event it tells."""
        return self.body["data"]["conversationId"], self.body["data"]["offset"]


class Inbox:
    """`WebhookSender`: keeps what it is given, and fails while it is told to."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.failure: DeliveryFailed | None = None
        self.tries = 0
        self._news = asyncio.Event()

    async def send(self, webhook: Webhook, message_id: str, body: bytes) -> None:
        self.tries += 1
        if self.failure is not None:
            raise self.failure
        self.receive(Message(message_id, json.loads(body)))

    def receive(self, message: Message) -> None:
        self.messages.append(message)
        self._news.set()

    async def has(self, number: int) -> list[Message]:
        """The messages once there are so many."""
        async with asyncio.timeout(30):
            while len(self.messages) < number:
                self._news.clear()
                await self._news.wait()
        return self.messages


class Receiver(Inbox):
    """A server at `url`, which verifies each message by the `secret`; it answers `status`."""

    def __init__(self) -> None:
        super().__init__()
        self.url = ""
        self.secret = ""
        self.status = 200
        self.headers: dict[str, str] = {}

    async def handle(self, request: web.Request) -> web.Response:
        self.tries += 1
        body = await request.read()
        told = Verifier(self.secret).verify(body, dict(request.headers))
        if self.status == 200:
            self.receive(Message(request.headers["webhook-id"], told))
        return web.Response(status=self.status, headers=self.headers)


@asynccontextmanager
async def receiving(port: int | None = None) -> AsyncIterator[Receiver]:
    """A receiver at work, on that port of this machine if there is one to take."""
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/hook", receiver.handle)
    server = TestServer(app, port=port)
    await server.start_server()
    receiver.url = str(server.make_url("/hook"))
    try:
        yield receiver
    finally:
        await server.close()
