"""The labels of conversations that the feed's readers ask for, kept up as events pass by."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from uuid import UUID

import msgspec
import structlog
from msgspec import UNSET

from turnlog.domain import events
from turnlog.domain.codec import decode
from turnlog.domain.ports import Views
from turnlog.domain.records import FedEntry, Labels

REMEMBERED = 10_000

log = structlog.get_logger(__name__)


class KnownLabels:
    """A bounded memory. What is in it is right only while every event is shown to `learn`."""

    def __init__(self, views: Views) -> None:
        self._views = views
        self._known: OrderedDict[UUID, Labels] = OrderedDict()
        self._finding: list[set[UUID]] = []

    def forget(self) -> None:
        """From now on events may pass by unseen."""
        self._known.clear()

    def learn(self, fed: FedEntry) -> None:
        """Take in one more event."""
        if not fed.entry.topic.startswith("conversation."):
            return
        try:
            fact = decode(fed.entry.topic, fed.entry.state)
        except msgspec.DecodeError:
            log.warning("feed.not_decoded", conversation_id=str(fed.conversation_id))
            return
        for passed in self._finding:
            passed.add(fed.conversation_id)
        before = self._known.get(fed.conversation_id)
        match fact:
            case events.ConversationCreated():
                self._keep(fed.conversation_id, Labels(frozenset(fact.tags), False))
            case events.ConversationUpdated() if fact.tags is not UNSET and before is not None:
                self._keep(fed.conversation_id, Labels(frozenset(fact.tags), before.deleted))
            case events.ConversationDeleted() if before is not None:
                self._keep(fed.conversation_id, Labels(before.tags, True))
            case _:
                pass

    def get(self, conversation_id: UUID) -> Labels | None:
        """The labels, if they are known."""
        return self._known.get(conversation_id)

    async def find(self, conversation_ids: Iterable[UUID]) -> dict[UUID, Labels]:
        """The labels of all of these."""
        wanted = set(conversation_ids)
        found = {an_id: known for an_id in wanted if (known := self._known.get(an_id))}
        missing = list(wanted - found.keys())
        if not missing:
            return found
        passed: set[UUID] = set()
        self._finding.append(passed)
        try:
            read = await self._views.labels(missing)
        finally:
            self._finding.remove(passed)
        for an_id, labels in read.items():
            found[an_id] = self._known.get(an_id, labels)
            if an_id not in passed:  # else what was read may be older than what has passed by
                self._keep(an_id, found[an_id])
        return found

    def _keep(self, conversation_id: UUID, labels: Labels) -> None:
        self._known[conversation_id] = labels
        self._known.move_to_end(conversation_id)
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
