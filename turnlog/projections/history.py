"""What was said in a conversation: the text of its user's and its agent's messages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal
from uuid import UUID

from msgspec import Struct

from turnlog.domain.events import (
    AttemptSuperseded,
    Fact,
    MessageCompleted,
    TurnCancelled,
    TurnQueued,
    TurnStarted,
    TurnSteered,
)
from turnlog.domain.values import ContentPart, TextPart

_WAITING = 1 << 62


class Message(Struct, frozen=True, kw_only=True, rename="camel"):
    """One message; `offset` is that of the event that holds its text."""

    role: Literal["user", "assistant"]
    content: str
    turn_id: UUID
    offset: int


def history(
    facts: Iterable[tuple[int, Fact]], blobs: Mapping[str, bytes] | None = None
) -> list[Message]:
    """The messages, turn by turn, oldest first.

    A turn stands where it started (one that was cancelled in the queue: where it was
    cancelled; those that still wait: last), so that each question is followed by its
    own answer. Within a turn a user's message stands where it was accepted, and the
    agent's where it began. Superseded messages and blank beginnings of messages are
    left out. `blobs` are those of `blobs_of`.
    """
    turns: dict[UUID, _Turn] = {}
    for offset, fact in facts:
        match fact:
            case TurnQueued():
                turn = turns[fact.turn_id] = _Turn(_WAITING + offset)
                turn.said[offset] = _user(offset, fact, blobs or {})
            case TurnStarted():
                turns[fact.turn_id].place = offset
            case TurnCancelled():
                turn = turns[fact.turn_id]
                turn.place = min(turn.place, offset)
            case TurnSteered():
                turns[fact.turn_id].said[offset] = _user(offset, fact, blobs or {})
            case MessageCompleted() if not fact.partial or fact.text.strip():
                turns[fact.turn_id].said[fact.item] = _assistant(offset, fact)
            case AttemptSuperseded():
                turns[fact.turn_id].supersede(fact.from_offset)
            case _:
                pass
    ordered = sorted(turns.values(), key=lambda turn: turn.place)
    return [turn.said[began] for turn in ordered for began in sorted(turn.said)]


def blobs_of(facts: Iterable[tuple[int, Fact]]) -> set[str]:
    """The SHA-256 of every blob that `history` needs."""
    return {
        part.blob
        for _, fact in facts
        if isinstance(fact, TurnQueued | TurnSteered)
        for part in fact.content
        if isinstance(part, TextPart) and part.text is None and part.blob is not None
    }


def text_of(content: Iterable[ContentPart], blobs: Mapping[str, bytes]) -> str:
    """The text of a message, its parts joined by line ends; images leave none."""
    return "\n".join(_text(part, blobs) for part in content if isinstance(part, TextPart))


class _Turn:
    """A turn's place among the others, and its messages by the offset at which they began."""

    def __init__(self, place: int) -> None:
        self.place = place
        self.said: dict[int, Message] = {}

    def supersede(self, from_offset: int) -> None:
        self.said = {
            began: message
            for began, message in self.said.items()
            if message.role == "user" or began < from_offset
        }


def _user(offset: int, fact: TurnQueued | TurnSteered, blobs: Mapping[str, bytes]) -> Message:
    content = text_of(fact.content, blobs)
    return Message(role="user", content=content, turn_id=fact.turn_id, offset=offset)


def _assistant(offset: int, fact: MessageCompleted) -> Message:
    return Message(role="assistant", content=fact.text, turn_id=fact.turn_id, offset=offset)


def _text(part: TextPart, blobs: Mapping[str, bytes]) -> str:
    if part.text is not None:
        return part.text
    return blobs.get(part.blob or "", b"").decode()
