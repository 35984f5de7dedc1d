"""What was asked, answered, seen and done in a run, to be held against the log."""

from __future__ import annotations

from collections import Counter
from typing import Any

from msgspec import Struct, field

from tests.chaos.plan import Kind


class Message(Struct):
    """A message that was sent, once or more often; `token` stands in its text.

    `turn_id` is what the 202 named; `turns` are all that were named, if it was sent again.
    """

    token: int
    conversation_id: str
    on_busy: str
    key: str
    refused: str = ""
    turn_id: str = ""
    turns: set[str] = set()


class Cancelling(Struct):
    """A turn that was asked to stop, and when that was answered; times of day."""

    message: Message
    at: float
    answered: float = 0.0


class Answering(Struct):
    """An answer to what a call wanted, sent once or more often; `token` stands in it."""

    conversation_id: str
    turn_id: str
    call_id: str
    kind: str
    token: str
    statuses: set[int] = set()


class Reading(Struct):
    """What one client saw of a log: the bytes of each frame, in the order of arrival."""

    path: str
    conversation_id: str
    turn_id: str = ""
    frames: list[tuple[int, bytes]] = []
    connections: int = 0
    faults: list[str] = []
    over: bool = False

    @property
    def cursor(self) -> int:
        """The last id."""
        return self.frames[-1][0] if self.frames else 0


class Deed(Struct):
    """An act as it was done; times of day. `pids` are those of the nodes it was done to."""

    kind: Kind
    node: int
    began: float
    pids: tuple[int, ...] = ()
    ended: float = float("inf")


class Diary(Struct):
    """All of a run."""

    messages: dict[int, Message] = field(default_factory=dict)
    cancellings: list[Cancelling] = []
    answerings: list[Answering] = []
    readings: list[Reading] = []
    hangups: list[tuple[float, int]] = []
    deeds: list[Deed] = []
    ended: set[str] = set()
    first_seen: dict[tuple[str, int], float] = {}
    counts: Counter[str] = field(default_factory=Counter)
    surprises: list[str] = []
    phase: str = "starting"

    def begin(self, kind: Kind, node: int, *pids: int, at: float) -> Deed:
        """Note that something is being done."""
        deed = Deed(kind=kind, node=node, began=at, pids=pids)
        self.deeds.append(deed)
        return deed

    def surprise(self, what: str, told: Any = "") -> None:
        """Note what must not happen."""
        self.surprises.append(f"{what} {told}".strip())
