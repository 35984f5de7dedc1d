"""Search in memory, for `--ephemeral`: words as they are written, whatever the language."""

from __future__ import annotations

import re
from collections.abc import Sequence
from uuid import UUID

from turnlog.adapters.memory import MemoryBlobs, MemoryStore
from turnlog.adapters.memory_checkpoints import MemoryCheckpoints, within
from turnlog.domain.identity import bucket_of
from turnlog.domain.projecting import Claim
from turnlog.domain.search import (
    Excerpt,
    Found,
    Part,
    Rank,
    Say,
    SearchQuery,
    Segment,
    TextChange,
    Unsay,
    UnsayAll,
)

MOST_EXCERPTS = 3
AROUND = 80

_WORD = re.compile(r'(-?)(?:"([^"]*)"|(\S+))')
_WEIGHTS: dict[Part, float] = {"title": 1.0, "summary": 0.4, "user": 0.2, "assistant": 0.1}


class MemorySearch:
    """`Search` and `SearchTexts`."""

    def __init__(
        self, store: MemoryStore, blobs: MemoryBlobs, checkpoints: MemoryCheckpoints
    ) -> None:
        self._store = store
        self._blobs = blobs
        self._checkpoints = checkpoints
        self._texts: dict[int, dict[UUID, dict[tuple[Part, int], Say]]] = {}

    async def write(self, claim: Claim, changes: Sequence[TextChange]) -> None:
        whole = [(each, await self._whole(each)) for each in changes]
        texts = self._texts.setdefault(claim.generation, {})

        def make() -> None:
            for change, text in whole:
                said = texts.setdefault(change.conversation_id, {})
                _change(said, change, text)

        within(claim).writes.append(make)

    async def forget(self, bucket: int, generation: int) -> bool:
        texts = self._texts.get(generation, {})
        for conversation_id in list(texts):
            if bucket_of(conversation_id, self._store.buckets) == bucket:
                del texts[conversation_id]
        return False

    async def find(self, query: SearchQuery) -> list[Found]:
        wanted, unwanted = _words(query.words)
        texts = self._texts.get(self._checkpoints.current("search"), {})
        filters = query.listed
        found = []
        for listed in await self._store.matching(filters):
            said = texts.get(listed.row.conversation_id, {})
            hits = [
                (_WEIGHTS[say.part], say)
                for say in said.values()
                if wanted
                and all(word in say.text.lower() for word in wanted)
                and not any(word in say.text.lower() for word in unwanted)
            ]
            if hits:
                rank = Rank(
                    score=max(weight for weight, _ in hits),
                    created_at=listed.row.created_at,
                    conversation_id=listed.row.conversation_id,
                )
                hits.sort(key=lambda hit: (-hit[0], hit[1].offset))
                excerpts = tuple(_excerpt(say, wanted) for _, say in hits[:MOST_EXCERPTS])
                found.append(Found(listed=listed, rank=rank, excerpts=excerpts))
        found.sort(key=lambda each: _place(each.rank), reverse=True)
        if query.after is not None:
            found = [each for each in found if _place(each.rank) < _place(query.after)]
        return found[: filters.limit]

    async def _whole(self, change: TextChange) -> str:
        if not isinstance(change.change, Say):
            return ""
        kept = [
            await self._blobs.get(change.conversation_id, sha256) for sha256 in change.change.blobs
        ]
        texts = [blob.data.decode(errors="replace") for blob in kept if blob is not None]
        return "\n".join([change.change.text, *texts]).strip()


def _change(said: dict[tuple[Part, int], Say], change: TextChange, text: str) -> None:
    match change.change:
        case Say() as say:
            said.pop((say.part, say.offset), None)
            if text:
                said[say.part, say.offset] = Say(
                    part=say.part, offset=say.offset, turn_id=say.turn_id, text=text
                )
        case Unsay() as unsaid:
            for key, say in list(said.items()):
                void = say.turn_id == unsaid.turn_id and say.offset >= unsaid.from_offset
                if say.part == "assistant" and void:
                    del said[key]
        case UnsayAll():
            said.clear()


def _words(text: str) -> tuple[list[str], list[str]]:
    wanted: list[str] = []
    unwanted: list[str] = []
    for minus, phrase, word in _WORD.findall(text.lower()):
        if phrase or word:
            (unwanted if minus else wanted).append(phrase or word)
    return wanted, unwanted


def _excerpt(say: Say, wanted: list[str]) -> Excerpt:
    pattern = re.compile("|".join(map(re.escape, wanted)), re.IGNORECASE)
    first = pattern.search(say.text)
    start = max(0, first.start() - AROUND) if first else 0
    shown = say.text[start : start + 4 * AROUND]
    segments, end = [], 0
    for match in pattern.finditer(shown):
        if match.start() > end:
            segments.append(Segment(shown[end : match.start()], False))
        segments.append(Segment(match[0], True))
        end = match.end()
    if end < len(shown):
        segments.append(Segment(shown[end:], False))
    return Excerpt(
        part=say.part, offset=say.offset or None, turn_id=say.turn_id, segments=tuple(segments)
    )


def _place(rank: Rank) -> tuple[float, int, UUID]:
    return rank.score, rank.created_at, rank.conversation_id
