"""Asking any node that answers, as a client behind a good load balancer would."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import aiohttp

from tests.chaos.diary import Diary
from tests.chaos.nodes import Node

PATIENCE = aiohttp.ClientTimeout(total=15)
FAILURES = (aiohttp.ClientError, TimeoutError, OSError)


class Caller:
    """One client; each request goes to a node of its choice."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        nodes: Sequence[Node],
        diary: Diary,
        chance: random.Random,
    ) -> None:
        self.http = http
        self.diary = diary
        self.chance = chance
        self._nodes = nodes

    def anywhere(self) -> str:
        """The API of some node."""
        return self.chance.choice(self._nodes).api

    async def post(self, path: str, body: dict[str, Any], key: str) -> tuple[int, Any] | None:
        """The status and the answer; None if it is not known what became of it."""
        headers = {"Idempotency-Key": key}
        try:
            async with self.http.post(
                self.anywhere() + path, json=body, headers=headers, timeout=PATIENCE
            ) as answer:
                told = await answer.json(content_type=None)
                self.diary.counts[f"{answer.status}"] += 1
                if answer.status >= 500 and answer.status != 503:
                    self.diary.surprise(f"POST {path}: {answer.status}", told)
                return answer.status, told
        except FAILURES:
            self.diary.counts["no answer"] += 1
            return None

    async def get(self, path: str) -> Any:
        """The answer; None where there is none just now."""
        try:
            async with self.http.get(self.anywhere() + path, timeout=PATIENCE) as answer:
                told = await answer.json(content_type=None)
                self.diary.counts[f"{answer.status}"] += 1
                if answer.status not in (200, 503):
                    self.diary.surprise(f"GET {path}: {answer.status}", told)
                return told if answer.status == 200 else None
        except FAILURES:
            self.diary.counts["no answer"] += 1
            return None

    async def insist(self, path: str, body: dict[str, Any], key: str) -> tuple[int, Any]:
        """The answer, asked for again, under the same key, until there is one."""
        while True:
            answered = await self.post(path, body, key)
            if answered is not None and answered[0] != 503:
                return answered
            await asyncio.sleep(self.chance.uniform(0.05, 0.6))
