"""A commit that seemed lost, and comes when nobody looks for it any more.

A database that stalls for longer than its clients wait does that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest

from tests.runtime.disk import Disk
from tests.runtime.given import Node, at_work
from tests.runtime.model import finishes, says
from tests.runtime.waiting import PATIENCE
from turnlog.adapters.memory import MemoryStore
from turnlog.domain import events
from turnlog.domain.errors import StoreUnavailable
from turnlog.domain.records import Append, Entry


class LateDisk(Disk):
    """While it is `late` its appends seem lost; they are written when they `land`."""

    def __init__(self, memory: MemoryStore | None = None) -> None:
        super().__init__(memory)
        self.late = False
        self._under_way: list[tuple[int, Sequence[Append]]] = []
        self._looked_at = asyncio.Event()

    async def append(self, bucket: int, appends: Sequence[Append]) -> list[bool]:
        if self.late:
            self._under_way.append((bucket, appends))
            raise StoreUnavailable()
        return await super().append(bucket, appends)

    async def read(self, conversation_id: UUID, **limits: Any) -> list[Entry]:
        if self._under_way:
            self._looked_at.set()
        return await super().read(conversation_id, **limits)

    async def land(self) -> None:
        """Once somebody has looked whether they are there."""
        async with asyncio.timeout(PATIENCE):
            await self._looked_at.wait()
        (append,) = self._under_way
        assert await self.memory.append(*append) == [True]
        self._under_way = []
        self.late = False


async def test_a_turn_that_begins_after_its_client_was_told_of_an_outage_is_run() -> None:
    disk = LateDisk()
    node = Node(disk)
    node.model.answer().gives(says("Here I am."), finishes())
    async with at_work(node):
        conversation = await node.conversation()
        reader = await node.follow(conversation)
        disk.late = True
        with pytest.raises(StoreUnavailable):
            await node.say(conversation)
        await disk.land()
        await reader.sees("turn.completed")


async def test_a_turn_that_was_taken_over_without_its_heir_knowing_is_run() -> None:
    disk = LateDisk()
    heir, owner = Node(disk), Node(Disk(disk.memory))
    heir.model.answer().gives(says("Here I am."), finishes())
    async with at_work(heir):
        async with at_work(owner):
            conversation = await owner.conversation()
            await owner.say(conversation)
            await owner.model.asked()
            disk.late = True
        reader = await heir.follow(conversation)
        await disk.land()
        await reader.sees("turn.completed")
    log = await heir.log(conversation)
    assert log.only(events.TurnResumed).node == heir.turnlog.node
