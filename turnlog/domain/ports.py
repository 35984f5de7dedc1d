"""What the core needs of the world, as promises that adapters keep."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

from turnlog.domain.model import ModelPart, ModelRequest
from turnlog.domain.records import (
    AnswerRecord,
    Append,
    Blob,
    Entry,
    FedEntry,
    Head,
    Labels,
    Listed,
    ListQuery,
    Process,
    TurnRow,
)
from turnlog.domain.tools import ToolSpec

Progress = Callable[[str], Awaitable[None]]
"""Takes the next piece of a tool's output; waits while the disk is slower than the tool."""


class Clock(Protocol):
    """The time."""

    def now(self) -> int:
        """Microseconds since the epoch, UTC."""


class EventStore(Protocol):
    """The log. Every method may raise `StoreUnavailable`."""

    @property
    def buckets(self) -> int:
        """Among how many buckets the conversations are shared out; never changes."""

    async def append(self, bucket: int, appends: Sequence[Append]) -> list[bool]:
        """Write appends to different conversations of one bucket, in one commit.

        Says of each, in order, whether it is in the log. One that is not has lost: its
        log did not end where it expected (offset and hash), and nothing of it was
        written. When this returns, what was written is on disk and numbered in the feed.

        One that is in the log already, from a commit whose outcome was not learned,
        counts as written and is not written again. So `StoreUnavailable` leaves the
        outcome open, and the same append may be sent again until it is known.
        """

    async def head(self, conversation_id: UUID) -> Head | None:
        """Where the log ends; None if there is no such conversation."""

    async def read(
        self,
        conversation_id: UUID,
        *,
        after: int = 0,
        until: int | None = None,
        limit: int | None = None,
        turn_id: UUID | None = None,
        deltas: bool = True,
    ) -> list[Entry]:
        """Entries with `after < offset <= until`, in order; without deltas if so asked.

        Their hashes are left out (`b""`).
        """

    async def read_each(self, after: Mapping[UUID, int], *, limit: int) -> dict[UUID, list[Entry]]:
        """What follows those offsets in those logs: as `read`, at most so many of each.

        Logs in which nothing follows are left out.
        """

    async def feed(self, bucket: int, *, after: int, limit: int) -> list[FedEntry]:
        """A bucket's entries by position (from 1, gapless, ascending in commit order).

        Their hashes are left out (`b""`).
        """

    async def offsets(self, conversation_ids: Sequence[UUID]) -> dict[UUID, int]:
        """Where those logs end that are there."""

    async def positions(self) -> list[int]:
        """The position of the last entry of each bucket, 0 if there is none."""


class Views(Protocol):
    """The inline projections, written by `EventStore.append`. May raise `StoreUnavailable`."""

    async def conversation(self, conversation_id: UUID) -> Listed | None:
        """One conversation, deleted or not."""

    async def conversations(self, query: ListQuery) -> list[Listed]:
        """Those that are not deleted, newest first by `created_at`, then by id."""

    async def labels(self, conversation_ids: Sequence[UUID]) -> dict[UUID, Labels]:
        """The labels of those conversations that are there, deleted ones too."""

    async def turn(self, turn_id: UUID) -> TurnRow | None:
        """One turn."""

    async def turns(
        self, conversation_id: UUID, *, limit: int, before: int | None = None
    ) -> list[TurnRow]:
        """Turns that began before the offset `before`, newest first."""


class BlobStore(Protocol):
    """Bytes beside the log, kept once each within a conversation. May raise `StoreUnavailable`."""

    async def put(self, conversation_id: UUID, blob: Blob) -> None:
        """Keep it; keeping it again changes nothing."""

    async def get(self, conversation_id: UUID, sha256: str) -> Blob | None:
        """The blob, or None."""


class Nodes(Protocol):
    """Which nodes are at work, judged by one clock, and whose turns are nobody's.

    May raise `StoreUnavailable`.
    """

    async def beat(self, node: str, process: Process) -> None:
        """The node is alive now."""

    async def leave(self, node: str) -> None:
        """The node is gone; its turns are nobody's from now on."""

    async def beside(self, node: str, machine: str) -> dict[str, int]:
        """The other nodes on the machine, with their process ids."""

    async def others(self, node: str, timeout: float, *, without: str | None = None) -> int:
        """How many other nodes have been heard of within so many seconds.

        Those of the machine `without` are not counted.
        """

    async def orphans(self, bucket: int, *, timeout: float | None, limit: int) -> list[TurnRow]:
        """Turns of a bucket that have a node and have not ended, and whose node has left.

        With `timeout` (seconds) also those whose node was not heard of for so long.
        """

    async def entrusted(self, bucket: int, node: str, known: Sequence[UUID]) -> list[TurnRow]:
        """Turns of a bucket that have that node and have not ended, but for those `known`."""

    async def expired(self, bucket: int, now: int, limit: int) -> list[TurnRow]:
        """Turns of a bucket that rest, and should not have rested until `now` (µs)."""


class Records(Protocol):
    """Answers that are given again. May raise `StoreUnavailable`."""

    async def get(self, bucket: int, key: bytes) -> AnswerRecord | None:
        """The answer that was recorded under the key."""

    async def put(self, bucket: int, record: AnswerRecord) -> bool:
        """Record an answer that came with no event; False if the key was used before."""

    async def forget(self, bucket: int, before: int) -> None:
        """Drop what was recorded before that time."""


class Hints(Protocol):
    """Words between nodes that a log has moved. May be lost: offsets show any gap."""

    async def say(self, moved: dict[UUID, int]) -> None:
        """Tell all nodes which conversations moved, and how far. Never raises."""

    async def listen(
        self, hear: Callable[[UUID, int], None], reconnected: Callable[[], None]
    ) -> None:
        """Hear what is said, this node's own words too, until cancelled.

        `reconnected` is called when hearing begins, and after every time in which
        words may have been missed.
        """


class ModelProvider(Protocol):
    """A model's API."""

    def stream(self, request: ModelRequest) -> AsyncGenerator[ModelPart, None]:
        """The parts of one answer; the last is `StepFinished`.

        Raises `ModelFailed`. Closing the generator hangs up.
        """


class Tool(Protocol):
    """A tool that runs on the server."""

    @property
    def spec(self) -> ToolSpec:
        """What models are told of it."""

    async def run(self, arguments: dict[str, Any], key: str, progress: Progress) -> str:
        """The output for the model; `progress` may be given its beginnings before.

        The arguments fit the schema. `key` is the same for every try of one call, for
        tools that can be idempotent. If `progress` was used, the output is what it was
        given, joined. Cancelling this stops the tool: nothing of it runs on afterwards.
        Raises `ToolFailed` with a message for the model.
        """


class ToolServer(Protocol):
    """A server of tools that the operator configured."""

    @property
    def name(self) -> str:
        """By which conversations choose it."""

    async def tools(self) -> Sequence[Tool]:
        """The tools that it has now, each under a name that begins with the server's.

        Raises `ToolFailed`, with the reason, where it cannot be reached.
        """
