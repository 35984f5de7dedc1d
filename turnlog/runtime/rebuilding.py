"""Projections built anew from the log, while servers go on writing and reading."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import get_args

from turnlog.domain.errors import NotFound, ProjectionStopped
from turnlog.domain.records import Checkpoint, InlineKind
from turnlog.runtime.inline_rebuild import rebuild_inline
from turnlog.runtime.parts import Parts
from turnlog.runtime.projectors import Projectors

NEAR = 256
SWEEPS = 50
TELL_EVERY = 8

Told = Callable[[int, int], None]
"""Is told how much is done, and of how much."""

INLINE: tuple[InlineKind, ...] = get_args(InlineKind)


async def rebuild(parts: Parts, projectors: Projectors, name: str, told: Told) -> None:
    """Build the projection of that name anew, from the beginning of the log.

    Raises `NotFound`, `ProjectionStopped` and `StoreUnavailable`; then what is read is as
    it was, or, of the inline ones, in part right already.
    """
    for kind in INLINE:
        if name == kind:
            await rebuild_inline(parts.store, parts.inline_rows, kind, told)
            return
    if name not in projectors:
        raise NotFound(thing="projection", id=name)
    await _Rebuild(parts, projectors, name, told).run()


class _Rebuild:
    """A new generation of rows beside those that are read; then it is read, and they go."""

    def __init__(self, parts: Parts, projectors: Projectors, name: str, told: Told) -> None:
        self._checkpoints = parts.checkpoints
        self._generations = parts.generations
        self._buckets = range(parts.store.buckets)
        self._projector = projectors[name]
        self._name = name
        self._told = told

    async def run(self) -> None:
        await self._generations.begin(self._name)
        mine = await self._generations.renew(self._name)
        try:
            await self._drop_others(mine)
            await self._catch_up(mine)
            if not await self._generations.swap(self._name, mine):
                raise ProjectionStopped(projection=self._name, reason=_OVERTAKEN)
        except ProjectionStopped:
            await self._drop_others(mine + 1)
            raise
        # Servers have taken in what is missing here, and do not look for it again.
        await self._sweep(mine)
        await self._drop_others(mine)

    async def _catch_up(self, generation: int) -> None:
        """Sweep over the buckets until hardly anything is missing: what comes meanwhile is less
        each time."""
        for _ in range(SWEEPS):
            await self._sweep(generation)
            if await self._standing(generation) <= NEAR:
                return

    async def _sweep(self, generation: int) -> None:
        calls = count()
        for bucket in self._buckets:
            while await self._projector.advance(bucket, generation):
                if next(calls) % TELL_EVERY == 0:
                    await self._standing(generation)

    async def _standing(self, generation: int) -> int:
        """How many events are missing; raises `ProjectionStopped`."""
        mine = list(self._of(await self._checkpoints.checkpoints(), generation))
        if not mine:
            raise ProjectionStopped(projection=self._name, reason=_OVERTAKEN)
        for checkpoint in mine:
            if checkpoint.stopped_at is not None:
                raise ProjectionStopped(projection=self._name, reason=checkpoint.reason)
        self._told(sum(one.position for one in mine), sum(one.head for one in mine))
        return sum(one.behind for one in mine)

    def _of(self, checkpoints: list[Checkpoint], generation: int) -> Iterator[Checkpoint]:
        for checkpoint in checkpoints:
            if (checkpoint.projection, checkpoint.generation) == (self._name, generation):
                yield checkpoint

    async def _drop_others(self, before: int) -> None:
        """Drop all older generations but the one that is read: also what others left undone."""
        await self._generations.end_others(self._name, before)
        read = {
            one.generation
            for one in await self._checkpoints.checkpoints()
            if one.projection == self._name
        }
        for generation in range(1, before):
            if generation not in read:
                for bucket in self._buckets:
                    while await self._projector.projection.forget(bucket, generation):
                        pass


_OVERTAKEN = "another rebuild of it has begun after this one"
