"""One mailbox and one task a conversation: commands become entries, entries are shown.

At most one append is under way. What is told meanwhile gathers, the deltas of an
item in one growing letter; so a slow disk makes fewer, larger deltas. So does an interval
that text alone has to keep.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from uuid import UUID

import structlog

from turnlog.domain.codec import DELTA_TOPICS
from turnlog.domain.commands import AppendOutput, AppendText, Command
from turnlog.domain.errors import AnsweredBefore, NotFound, StoreUnavailable, TurnlogError
from turnlog.domain.identity import bucket_of
from turnlog.domain.ports import EventStore, Records
from turnlog.domain.records import Append
from turnlog.runtime.decided import Decided
from turnlog.runtime.journal import Journal
from turnlog.runtime.letters import Committed, Letter, Mailbox, Recorder, runners_of
from turnlog.runtime.standing import Standing, caught_up, load
from turnlog.runtime.tail import Tails

STORE_RETRY_SECONDS = 0.5

log = structlog.get_logger(__name__)


class Actor:
    """Handles one conversation's commands, in order, and keeps its folded state while warm."""

    def __init__(
        self,
        conversation_id: UUID,
        *,
        store: EventStore,
        records: Records,
        journal: Journal,
        tails: Tails,
        moved: Callable[[Actor, Standing, bool], None],
        standing: Standing | None = None,
        text_interval: float = 0.0,
    ) -> None:
        """`moved` is called after every commit, and when others' entries were read; and told
        whether there was more than deltas.

        Text alone waits until it is so many seconds after the text before it.
        """
        self.conversation_id = conversation_id
        self.standing = standing
        self._store = store
        self._records = records
        self._journal = journal
        self._tails = tails
        self._moved = moved
        self._text_interval = text_interval
        self._text_due = 0.0
        self._woken: asyncio.TimerHandle | None = None
        self._mailbox = Mailbox()
        self._working: asyncio.Task[None] | None = None
        self._others_wrote = False

    @property
    def idle(self) -> bool:
        """Nothing waits and nothing is under way."""
        return self._working is None and not self._mailbox

    async def ask(self, command: Command, record: Recorder | None = None) -> Committed:
        """Handle a command; answered when what it made is on disk. Raises its refusal.

        `record` makes the record that is written together with the events, if there are
        any. If its key was used before, nothing is written: raises `AnsweredBefore`.
        """
        answer: asyncio.Future[Committed] = asyncio.get_running_loop().create_future()
        self._mailbox.put(Letter(command, answer, record))
        self._begin()
        return await answer

    def tell(self, command: Command) -> None:
        """Handle a command in its turn; a refusal is dropped."""
        if isinstance(command, AppendText | AppendOutput):
            self._mailbox.put_text(command)
        else:
            self._mailbox.put(Letter(command, None))
        self._begin()

    def look(self) -> None:
        """Others have written, it seems: read it, in turn with what is asked here."""
        self._others_wrote = True
        self._begin()

    @property
    def is_full(self) -> bool:
        """Whether `room` would have to be waited for."""
        return self._mailbox.is_full

    async def room(self) -> None:
        """Wait until the mailbox can take more: a provider may be faster than the disk."""
        await self._mailbox.room()

    async def settle(self) -> None:
        """Wait until nothing is under way, and nothing waits."""
        while not self.idle:
            self._text_due = 0.0
            self._begin()
            if self._working is not None:
                await asyncio.wait([self._working])

    def _begin(self) -> None:
        if self._working is None and not self._must_wait():
            self._working = asyncio.create_task(self._work())

    def _must_wait(self) -> bool:
        """Whether there is text alone, and too early; it is seen to in its time."""
        if not self._text_interval or self._others_wrote or not self._mailbox.only_text:
            return False
        loop = asyncio.get_running_loop()
        if self._mailbox.is_full or loop.time() >= self._text_due:
            return False
        if self._woken is None:
            self._woken = loop.call_at(self._text_due, self._wake)
        return True

    def _wake(self) -> None:
        self._woken = None
        if self._mailbox:
            self._begin()

    async def _work(self) -> None:
        try:
            while (self._mailbox or self._others_wrote) and not self._must_wait():
                if self._others_wrote:
                    self._others_wrote = False
                    await self._read_others()
                if self._mailbox:
                    if self._mailbox.only_text:
                        self._text_due = asyncio.get_running_loop().time() + self._text_interval
                    await self._handle(self._mailbox.take())
        finally:
            self._working = None

    async def _read_others(self) -> None:
        try:
            if self.standing is not None:
                await self._catch_up(self.standing)
            else:
                self.standing = await load(self._store, self.conversation_id)
                self._moved(self, self.standing, True)
        except (StoreUnavailable, NotFound):
            pass  # whoever said so looks again

    async def _handle(self, letters: list[Letter]) -> None:
        """Bring the letters to their end.

        What a client was told could not be written may have been written all the same,
        and may have begun a turn: then (`doubt`) the log is looked at once the store is back.
        """
        doubt = loaded = False
        while letters or doubt:
            decided = None
            try:
                if self.standing is None:
                    self.standing = await load(self._store, self.conversation_id)
                    loaded = True
                    if doubt:
                        self._moved(self, self.standing, True)
                standing, doubt = self.standing, False
                decided = Decided(standing, letters)
                if await self._stands(standing, decided, letters):
                    self._commit(decided, loaded)
                    return
                letters = await self._unanswered(letters, decided)
                if letters:
                    await self._catch_up(standing)
            except StoreUnavailable as error:
                self.standing, doubt = None, doubt or decided is not None
                letters = self._kept(letters, error)
                if letters or doubt:
                    await asyncio.sleep(STORE_RETRY_SECONDS)
            except Exception as error:
                if not isinstance(error, TurnlogError):
                    log.exception("actor.failed", conversation_id=str(self.conversation_id))
                self.standing = None
                for letter in letters:
                    letter.refuse(error)
                return

    async def _stands(self, standing: Standing, decided: Decided, letters: list[Letter]) -> bool:
        """Whether what was decided is on disk, or is about the log as it is if it writes nothing.

        Refusals too wait for the disk: they may rest on what is to be written with them.
        """
        if decided.draft.entries:
            return await self._written(decided.append(), letters)
        head = await self._store.head(self.conversation_id)
        return head is None or head.offset == standing.head.offset

    async def _written(self, append: Append, letters: list[Letter]) -> bool:
        """Whether the append is on disk.

        With a runner's words in it, which can't be said again, the very same append
        is tried until its outcome is known; clients are not kept waiting for that.
        """
        while True:
            try:
                return await self._journal.append(append)
            except StoreUnavailable as error:
                if not self._kept(letters, error):
                    raise
                await asyncio.sleep(STORE_RETRY_SECONDS)

    async def _unanswered(self, letters: list[Letter], decided: Decided) -> list[Letter]:
        """After a lost append: the letters without those whose key was used before."""
        bucket = bucket_of(self.conversation_id, self._store.buckets)
        for letter, record in decided.records:
            if first := await self._records.get(bucket, record.key):
                letter.refuse(AnsweredBefore(first))
                letters = [other for other in letters if other is not letter]
        return letters

    def _kept(self, letters: list[Letter], error: StoreUnavailable) -> list[Letter]:
        """The runners' letters; all clients, those who wait too, are answered with the error."""
        self._mailbox.refuse_clients(error)
        return runners_of(letters, error)

    async def _catch_up(self, standing: Standing) -> None:
        self.standing, entries = await caught_up(self._store, standing)
        self._tails.publish(self.conversation_id, entries)
        self._moved(self, self.standing, True)

    def _commit(self, decided: Decided, loaded: bool) -> None:
        """`loaded`: the log may have held what nobody was told of here."""
        draft = decided.draft
        self.standing = standing = draft.written()
        self._tails.publish(self.conversation_id, draft.entries)
        decided.answer(standing)
        if draft.entries:
            news = loaded or any(entry.topic not in DELTA_TOPICS for entry in draft.entries)
            self._moved(self, standing, news)
