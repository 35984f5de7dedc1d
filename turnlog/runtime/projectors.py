"""All asynchronous projections of this node, and how far behind they are."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

import structlog

from turnlog.domain.errors import StoreUnavailable
from turnlog.domain.ports import EventStore
from turnlog.domain.projecting import Checkpoints, Generations
from turnlog.domain.records import Checkpoint
from turnlog.runtime.moves import Moved, Moves
from turnlog.runtime.projecting import Projection, Projector

POLL_SECONDS = 1.0
LOOK_BACK_SECONDS = 30.0
MANY = 10_000

log = structlog.get_logger(__name__)


class Projectors:
    """Keeps the projections up with the feed; one that fails leaves the others alone."""

    def __init__(
        self,
        projections: Iterable[Projection],
        checkpoints: Checkpoints,
        generations: Generations,
        store: EventStore,
        moves: Moves,
    ) -> None:
        self._checkpoints = checkpoints
        self._generations = generations
        self._store = store
        self._moves = moves
        self._projectors = {
            projection.name: Projector(projection, checkpoints, store.buckets)
            for projection in projections
        }

    def __getitem__(self, name: str) -> Projector:
        return self._projectors[name]

    def __contains__(self, name: str) -> bool:
        return name in self._projectors

    def names(self) -> list[str]:
        """The names of all projections."""
        return list(self._projectors)

    async def begin(self) -> None:
        """Begin those that are new. Raises `StoreUnavailable`."""
        for name in self._projectors:
            await self._generations.begin(name)

    async def run(self) -> None:
        """Keep them up with the feed until cancelled."""
        with self._moves.followed() as moved:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass_on(moved))
                group.create_task(self._poll())
                group.create_task(self._look_back())
                for projector in self._projectors.values():
                    group.create_task(projector.follow())

    async def settle(self) -> None:
        """Take in all that there is now. Raises `StoreUnavailable`."""
        await self.begin()
        for projector in self._projectors.values():
            for bucket in range(self._store.buckets):
                while await projector.advance(bucket):
                    pass

    async def lag(self) -> dict[str, int]:
        """How many events each projection has still to take in. Raises `StoreUnavailable`."""
        return behind(await self._checkpoints.checkpoints())

    async def _pass_on(self, moved: Moved) -> None:
        while True:
            buckets = await moved.take(0)
            for projector in self._projectors.values():
                projector.moved.add(*buckets)

    async def _poll(self) -> None:
        """Make up for lost words, and for what another node has left undone."""
        begun = False
        while True:
            try:
                if not begun:
                    await self.begin()
                    begun = True
                ends = await self._store.positions()
                for projector in self._projectors.values():
                    projector.look(ends)
            except StoreUnavailable:
                log.warning("projections.store_unavailable")
            except Exception:
                log.exception("projections.failed")
            await asyncio.sleep(POLL_SECONDS)

    async def _look_back(self) -> None:
        """Say what is far behind, and see to what is behind without this node's knowing: rows
        that were rebuilt, and a projection that was resumed."""
        while True:
            await asyncio.sleep(LOOK_BACK_SECONDS)
            try:
                checkpoints = await self._checkpoints.checkpoints()
                for one in checkpoints:
                    if one.current and one.behind and one.projection in self:
                        self[one.projection].moved.add(one.bucket)
                for name, events in behind(checkpoints).items():
                    if events > MANY:
                        log.warning("projection.behind", projection=name, events=events)
            except StoreUnavailable:
                pass  # the poll says so
            except Exception:
                log.exception("projections.failed")


def behind(checkpoints: Sequence[Checkpoint]) -> dict[str, int]:
    """How many events are still to be taken in, by projection, of the generations that are read."""
    lag: dict[str, int] = {}
    for checkpoint in checkpoints:
        if checkpoint.current:
            name = checkpoint.projection
            lag[name] = lag.get(name, 0) + checkpoint.behind
    return lag
