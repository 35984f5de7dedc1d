"""One mailbox and one task a conversation: commands become entries, entries are shown.

At most one append is under way. What is told meanwhile gathers, the deltas of an
item in one growing letter; so a slow disk makes fewer, larger deltas.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import get_args
from uuid import UUID

import structlog

from turnlog.domain.commands import AppendOutput, AppendText, Command, RunnerCommand
from turnlog.domain.errors import StoreUnavailable, TurnlogError
from turnlog.domain.ports import EventStore
from turnlog.runtime.journal import Journal
from turnlog.runtime.letters import Committed, Letter
from turnlog.runtime.standing import Draft, Standing, caught_up, load
from turnlog.runtime.tail import Tails

MAX_WAITING_CHARACTERS = 1 << 20
MAX_LETTERS = 512
STORE_RETRY_SECONDS = 0.5

log = structlog.get_logger(__name__)
_RUNNER_COMMANDS = get_args(RunnerCommand)


class Actor:
    """Handles one conversation's commands, in order, and keeps its folded state while warm."""

    def __init__(
        self,
        conversation_id: UUID,
        *,
        store: EventStore,
        journal: Journal,
        tails: Tails,
        moved: Callable[[Actor, Standing], None],
        standing: Standing | None = None,
    ) -> None:
        """`moved` is called after every commit, and when others' entries were read."""
        self.conversation_id = conversation_id
        self.standing = standing
        self._store = store
        self._journal = journal
        self._tails = tails
        self._moved = moved
        self._mailbox: list[Letter] = []
        self._waiting = 0
        self._working: asyncio.Task[None] | None = None
        self._room = asyncio.Event()
        self._room.set()

    @property
    def idle(self) -> bool:
        """Nothing waits and nothing is under way."""
        return self._working is None

    async def ask(self, command: Command) -> Committed:
        """Handle a command; answered when what it made is on disk. Raises its refusal."""
        answer: asyncio.Future[Committed] = asyncio.get_running_loop().create_future()
        self._post(Letter(command, answer))
        return await answer

    def tell(self, command: Command) -> None:
        """Handle a command in its turn; a refusal is dropped."""
        if isinstance(command, AppendText | AppendOutput):
            self._waiting += len(command.text)
            if self._waiting > MAX_WAITING_CHARACTERS:
                self._room.clear()
            if self._mailbox and self._mailbox[-1].grow(command):
                return
        self._post(Letter(command, None))

    async def room(self) -> None:
        """Wait until the mailbox can take more: a provider may be faster than the disk."""
        await self._room.wait()

    async def settle(self) -> None:
        """Wait until nothing is under way."""
        while self._working is not None:
            await asyncio.wait([self._working])

    def _post(self, letter: Letter) -> None:
        self._mailbox.append(letter)
        if self._working is None:
            self._working = asyncio.create_task(self._work())

    async def _work(self) -> None:
        try:
            while self._mailbox:
                letters, self._mailbox = self._mailbox[:MAX_LETTERS], self._mailbox[MAX_LETTERS:]
                await self._handle(letters)
                self._waiting = sum(letter.size for letter in self._mailbox)
                self._room.set()
        finally:
            self._working = None

    async def _handle(self, letters: list[Letter]) -> None:
        while letters:
            try:
                if self.standing is None:
                    self.standing = await load(self._store, self.conversation_id)
                standing = self.standing
                draft, decided, refused = _draft(standing, letters)
                if refused and await self._stale(standing):
                    await self._catch_up(standing)
                    continue
                for letter, refusal in refused:
                    letter.refuse(refusal)
                letters = [letter for letter, _, _ in decided]
                if draft.entries and not await self._written(draft, letters):
                    await self._catch_up(standing)
                    continue
            except StoreUnavailable as error:
                self.standing = None
                letters = _remaining(letters, error)
                await asyncio.sleep(STORE_RETRY_SECONDS if letters else 0)
            except Exception as error:
                if not isinstance(error, TurnlogError):
                    log.exception("actor.failed", conversation_id=str(self.conversation_id))
                self.standing = None
                for letter in letters:
                    letter.refuse(error)
                return
            else:
                self._commit(draft, decided)
                return

    async def _stale(self, standing: Standing) -> bool:
        """Whether others have written since: a refusal must be about the log as it is."""
        head = await self._store.head(self.conversation_id)
        return head is not None and head.offset != standing.head.offset

    async def _written(self, draft: Draft, letters: list[Letter]) -> bool:
        """Whether the draft is on disk.

        With a runner's words in it, which can't be said again, the very same append
        is tried until its outcome is known; clients are not kept waiting for that.
        """
        append = draft.append()
        while True:
            try:
                return await self._journal.append(append)
            except StoreUnavailable as error:
                if not _remaining(letters, error):
                    raise
                await asyncio.sleep(STORE_RETRY_SECONDS)

    async def _catch_up(self, standing: Standing) -> None:
        self.standing, entries = await caught_up(self._store, standing)
        self._tails.publish(self.conversation_id, entries)
        self._moved(self, self.standing)

    def _commit(self, draft: Draft, decided: list[_Decided]) -> None:
        self.standing = standing = draft.written()
        self._tails.publish(self.conversation_id, draft.entries)
        for letter, first, end in decided:
            if letter.answer is not None and not letter.answer.done():
                letter.answer.set_result((standing, draft.entries[first:end]))
        if draft.entries:
            self._moved(self, standing)


_Decided = tuple[Letter, int, int]
"""A letter, and between which entries of the draft those stand that it made."""


def _draft(
    standing: Standing, letters: list[Letter]
) -> tuple[Draft, list[_Decided], list[tuple[Letter, TurnlogError]]]:
    """What the letters make together, and which of them are refused."""
    draft = Draft(standing)
    decided: list[_Decided] = []
    refused: list[tuple[Letter, TurnlogError]] = []
    for letter in letters:
        first = len(draft.entries)
        try:
            draft.add(letter.whole())
        except TurnlogError as refusal:
            refused.append((letter, refusal))
        else:
            decided.append((letter, first, len(draft.entries)))
    return draft, decided, refused


def _remaining(letters: list[Letter], error: StoreUnavailable) -> list[Letter]:
    """The runners' letters; the clients' are answered with the error."""
    for letter in letters:
        if not isinstance(letter.command, _RUNNER_COMMANDS):
            letter.refuse(error)
    return [letter for letter in letters if isinstance(letter.command, _RUNNER_COMMANDS)]
