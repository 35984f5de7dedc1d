"""The projection `search`: what conversations say, to be looked for."""

from __future__ import annotations

from collections.abc import Sequence

from turnlog.domain.codec import decode
from turnlog.domain.projecting import Claim
from turnlog.domain.records import FedEntry
from turnlog.domain.search import SearchTexts, TextChange
from turnlog.projections import searching


class SearchProjection:
    """Keeps the texts up (`runtime.projecting.Projection`)."""

    name = "search"
    topics = searching.TOPICS

    def __init__(self, texts: SearchTexts) -> None:
        self._texts = texts

    async def take_in(self, claim: Claim, found: Sequence[FedEntry]) -> None:
        changes = [
            TextChange(conversation_id=fed.conversation_id, tenant_id=fed.tenant_id, change=change)
            for fed in found
            if (fact := decode(fed.entry.topic, fed.entry.state)) is not None
            for change in searching.changes(fed.entry.offset, fact)
        ]
        await self._texts.write(claim, changes)

    async def forget(self, bucket: int, generation: int) -> bool:
        return await self._texts.forget(bucket, generation)
