"""Who runs what: this node's heartbeat, and taking over from the dead.

Liveness only says whom to take over from. That nobody appends in two nodes' names
is the log's own doing: the append of `turn.resumed` fences the owner before.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

import structlog

from turnlog.domain.errors import StoreUnavailable
from turnlog.domain.ports import Nodes
from turnlog.domain.records import Process, TurnRow

TICKS_A_TIMEOUT = 5
MAX_TICK_SECONDS = 1.0
AT_ONCE = 64

log = structlog.get_logger(__name__)


class Ownership:
    """Keeps this node known, and finds the turns of nodes that are gone."""

    def __init__(
        self,
        node: str,
        nodes: Nodes,
        *,
        buckets: int,
        process: Process,
        is_alive: Callable[[int], bool],
        running: Callable[[], Sequence[UUID]],
        attend: Callable[[TurnRow], bool],
        take_over: Callable[[TurnRow], Awaitable[None]],
        timeout: float,
        time: Callable[[], float],
    ) -> None:
        """`timeout`: after how many seconds of silence a node counts as lost.

        `is_alive` tells of a process on this machine; `time` is a monotonic clock.
        `running` are the turns that run here; `attend` is told of one that should, and
        says whether it can.
        """
        self._node = node
        self._nodes = nodes
        self._buckets = list(range(buckets))
        self._process = process
        self._is_alive = is_alive
        self._running = running
        self._attend = attend
        self._take_over = take_over
        self._timeout = timeout
        self._time = time
        self._steady_since: float | None = None
        self._last_beat = 0.0
        self._retired = False

    async def run(self) -> None:
        """Tick until cancelled."""
        while True:
            await asyncio.sleep(min(MAX_TICK_SECONDS, self._timeout / TICKS_A_TIMEOUT))
            try:
                await self.tick()
            except StoreUnavailable:
                self._steady_since = None
                log.warning("ownership.store_unavailable")
            except Exception:
                # A node that stopped beating would lose its turns while it runs them.
                log.exception("ownership.failed")

    async def tick(self) -> None:
        """Say that this node lives, see to what is its own, and take over what is nobody's.

        What is its own may have become so by a commit that seemed lost, and came late.
        """
        await self._nodes.beat(self._node, self._process)
        now = self._time()
        if self._steady_since is None or now - self._last_beat > self._timeout / 2:
            self._steady_since = now
        self._last_beat = now
        await self._dismiss_the_dead()
        # Whoever was cut off itself, or finds a database that has just returned, must
        # first let the others be heard again.
        steady = now - self._steady_since >= self._timeout
        random.shuffle(self._buckets)
        for bucket in self._buckets:
            if self._retired:
                return
            for turn in await self._nodes.entrusted(bucket, self._node, self._running()):
                if not self._attend(turn):
                    await self._take_over(turn)
            orphans = await self._nodes.orphans(
                bucket, timeout=self._timeout if steady else None, limit=AT_ONCE
            )
            await asyncio.gather(*(self._take_over(turn) for turn in orphans))

    async def others(self, *, beside: bool = True) -> int:
        """How many other nodes are at work (`beside`: on this machine too).

        None, as far as can be told without the store.
        """
        without = None if beside else self._process.machine
        try:
            return await self._nodes.others(self._node, self._timeout, without=without)
        except StoreUnavailable:
            return 0

    def retire(self) -> None:
        """From now on only say that this node lives, and take nothing over."""
        self._retired = True

    async def leave(self) -> None:
        """Give up this node's turns, for others to take over at once."""
        try:
            await self._nodes.leave(self._node)
        except StoreUnavailable:
            log.warning("ownership.left_without_a_word")

    async def _dismiss_the_dead(self) -> None:
        """A process that has ended on this machine need not be waited for."""
        beside = await self._nodes.beside(self._node, self._process.machine)
        for node, process in beside.items():
            if not self._is_alive(process):
                log.info("ownership.node_died", node_lost=node)
                await self._nodes.leave(node)
