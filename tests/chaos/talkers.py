"""Clients that say something, change their minds, and say more."""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections.abc import Mapping
from typing import Any, Protocol

from tests.chaos.callers import Caller
from tests.chaos.diary import Cancelling, Message
from tests.chaos.nodes import now

MODELS: tuple[Mapping[str, str], ...] = (
    {"modelProviderId": "anthropic", "modelProviderApi": "messages", "model": "claude"},
    {"modelProviderId": "openai", "modelProviderApi": "responses", "model": "gpt"},
    {"modelProviderId": "openrouter", "modelProviderApi": "chat", "model": "any/model"},
)
# Half of the conversations have tools whose calls wait for somebody.
WAITING_TOOLS: tuple[Any, ...] = (
    "listFiles",
    "searchFiles",
    {"type": "builtin", "name": "readFile", "approval": "always"},
    {"type": "function", "name": "weather", "parameters": {"type": "object"}},
    {"type": "function", "name": "book", "parameters": {}, "approval": "always"},
    "strike",
)
TOOLS: tuple[Any, ...] = ("listFiles", "readFile", "searchFiles", "strike")
WAITING = 0.5
ON_BUSY = ("enqueue", "enqueue", "enqueue", "reject", "interrupt", "steer")
MOST_WAITING = 3
CANCELLED = 0.25
SENT_TWICE = 0.2


class Audience(Protocol):
    """Those who read what is said."""

    def began(self, conversation_id: str) -> None:
        """There is a conversation."""

    def said(self, message: Message) -> None:
        """A message was accepted."""

    def left(self, conversation_id: str, turns: set[str]) -> None:
        """Nothing more will be said there; these are its turns."""


class Talker:
    """Holds one conversation after the other."""

    def __init__(
        self,
        caller: Caller,
        tokens: itertools.count[int],
        audience: Audience,
    ) -> None:
        """`tokens` mark messages."""
        self._caller = caller
        self._tokens = tokens
        self._audience = audience
        self._chance = caller.chance
        self._diary = caller.diary

    async def talk(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                await self._converse(group)

    async def _converse(self, group: asyncio.TaskGroup) -> None:
        body: dict[str, Any] = {
            **self._chance.choice(MODELS),
            "reasoning": {"effort": "high"},
            "tools": WAITING_TOOLS if self._chance.random() < WAITING else TOOLS,
        }
        status, told = await self._caller.insist("/conversations", body, self._key())
        if status != 201:
            self._diary.surprise(f"creating: {status}", told)
            return
        conversation_id = str(told["conversationId"])
        self._audience.began(conversation_id)
        waiting: list[str] = []
        for _ in range(self._chance.randint(3, 10)):
            message = await self._say(conversation_id)
            if message.turn_id:
                waiting.append(message.turn_id)
                if self._chance.random() < CANCELLED:
                    group.create_task(self._cancel(message))
            allowed = self._chance.randint(0, MOST_WAITING)
            await self._until_ended(waiting, allowed)
        await self._until_ended(waiting, 0)
        self._audience.left(conversation_id, set(waiting))

    async def _until_ended(self, turns: list[str], but: int) -> None:
        while len(set(turns) - self._diary.ended) > but:  # noqa: ASYNC110 - many readers see it
            await asyncio.sleep(0.05)

    async def _say(self, conversation_id: str) -> Message:
        message = Message(
            token=next(self._tokens),
            conversation_id=conversation_id,
            on_busy=self._chance.choice(ON_BUSY),
            key=self._key(),
        )
        self._diary.messages[message.token] = message
        text = f"#{message.token}# " + "go on, please " * self._chance.randint(1, 10)
        body = {"message": text, "onBusy": message.on_busy}
        path = f"/conversations/{conversation_id}/messages"
        sendings = 2 if self._chance.random() < SENT_TWICE else 1
        for status, told in await asyncio.gather(
            *(self._caller.insist(path, body, message.key) for _ in range(sendings))
        ):
            if status == 202:
                message.turn_id = str(told["turnId"])
                message.turns.add(message.turn_id)
            elif status == 409 and message.on_busy == "reject":
                message.refused = told["error"]["code"]
            else:
                self._diary.surprise(f"message {message.token}: {status}", told)
        if message.turn_id:
            self._audience.said(message)
        return message

    async def _cancel(self, message: Message) -> None:
        await asyncio.sleep(self._chance.uniform(0.0, 3.0))
        if message.turn_id in self._diary.ended:
            return
        cancelling = Cancelling(message, at=now())
        self._diary.cancellings.append(cancelling)
        body: dict[str, Any] = {"reason": "chaos"}
        path = f"/turns/{message.turn_id}/cancel"
        status, told = await self._caller.insist(path, body, self._key())
        cancelling.answered = now()
        if status != 202:
            self._diary.surprise(f"cancelling {message.turn_id}: {status}", told)

    def _key(self) -> str:
        return str(uuid.UUID(int=self._chance.getrandbits(128)))
