"""What projections need of a store, as promises that adapters keep (ports, as in `ports.py`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol
from uuid import UUID

from turnlog.domain.records import (
    Checkpoint,
    FedEntry,
    FoldedRows,
    InlineKind,
    OpenTurn,
    Replaced,
    UsageEntry,
    UsageGroup,
    UsageQuery,
)


class InlineRows(Protocol):
    """The inline projections, to be put right. May raise `StoreUnavailable`."""

    async def heads(self, bucket: int, *, after: UUID | None, limit: int) -> list[tuple[UUID, int]]:
        """The conversations of a bucket by id, with the offsets at which their logs end."""

    async def replace(
        self, bucket: int, kind: InlineKind, folded: Sequence[FoldedRows]
    ) -> Replaced:
        """Make the rows of that kind what was folded, while nobody appends to the bucket.

        Those of conversations that have moved on since are left alone.
        """

    async def drop_strangers(self, bucket: int, kind: InlineKind) -> int:
        """Drop the rows that are of no conversation; how many there were."""


class Claim(Protocol):
    """One projection's work in one bucket, which nobody else does meanwhile.

    It is one transaction: what the projection's own tables are given with the claim is
    written together with the checkpoint, or not at all.
    """

    projection: str
    bucket: int
    generation: int
    position: int
    """Up to which the bucket was taken in before."""

    async def read(self, topics: frozenset[str] | None, limit: int) -> tuple[list[FedEntry], int]:
        """At most so many of the entries that follow, and the position up to which was looked.

        Only those of the topics; None: all but deltas. The position is the old one only
        at the bucket's end.
        """

    async def advance(self, position: int) -> None:
        """The bucket is taken in up to the position."""


class Checkpoints(Protocol):
    """How far the asynchronous projections have come. May raise `StoreUnavailable`."""

    def claim(
        self, projection: str, bucket: int, generation: int | None = None
    ) -> AbstractAsyncContextManager[Claim | None]:
        """The right to take in more of the bucket, written down when it ends without an error.

        None where somebody else has it, where the projection has stopped, and where there
        is no such generation; without a number it is the one that is read.
        """

    async def stop(self, claim: Claim, position: int, reason: str) -> None:
        """It cannot take in the event at the position; without effect if it has moved on."""

    async def resume(self, projection: str) -> int:
        """Let it try again where it has stopped; in how many buckets."""

    async def checkpoints(self) -> list[Checkpoint]:
        """All checkpoints, by projection, generation and bucket."""


class Generations(Protocol):
    """Which generation of a projection's rows is read. May raise `StoreUnavailable`."""

    async def begin(self, projection: str) -> None:
        """Begin it at the beginning of the feed, where that was not done before."""

    async def renew(self, projection: str) -> int:
        """Begin a new generation at the beginning of the feed, beside the one that is read."""

    async def swap(self, projection: str, generation: int) -> bool:
        """Read that generation from now on; False if a newer one was begun."""

    async def end_others(self, projection: str, before: int) -> None:
        """Nothing more is written for older generations than that, but for the one that is read."""


class UsageTable(Protocol):
    """What events have cost: an asynchronous projection. May raise `StoreUnavailable`."""

    async def open_turns(self, claim: Claim, turn_ids: Sequence[UUID]) -> dict[UUID, OpenTurn]:
        """Those of the turns that have begun and not ended."""

    async def write(
        self, claim: Claim, entries: Sequence[UsageEntry], turns: Mapping[UUID, OpenTurn | None]
    ) -> None:
        """Add the entries, and keep what is known of the turns now; None: it has ended."""

    async def groups(self, query: UsageQuery) -> list[UsageGroup]:
        """A page of groups, ascending by key; what has no tag comes last.

        A conversation with several tags counts in the group of each, by the tags that it
        has now. Without groups it is one sum, also of nothing.
        """

    async def forget(self, bucket: int, generation: int) -> bool:
        """Drop some of what a generation wrote; whether there may be more."""
