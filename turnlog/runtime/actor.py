"""One mailbox and one task a conversation: commands become entries, entries are shown.

At most one append is under way. What is told meanwhile gathers, the deltas of an
item in one growing letter; so a slow disk makes fewer, larger deltas.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import get_args
from uuid import UUID

import structlog
from msgspec.structs import replace

from turnlog.domain.commands import AppendOutput, AppendText, Command, RunnerCommand
from turnlog.domain.errors import StoreUnavailable, TurnlogError
from turnlog.domain.ports import EventStore
from turnlog.domain.records import Entry
from turnlog.runtime.journal import Journal
from turnlog.runtime.standing import Draft, Standing, caught_up, load
from turnlog.runtime.tail import Tails

MAX_DELTA_CHARACTERS = 32 * 1024
MAX_WAITING_CHARACTERS = 1 << 20
MAX_LETTERS = 512
STORE_RETRY_SECONDS = 0.5

log = structlog.get_logger(__name__)
_RUNNER_COMMANDS = get_args(RunnerCommand)

Committed = tuple[Standing, Sequence[Entry]]
"""The standing after a commit, and the entries that one command made of it."""


def pieces(text: str) -> list[str]:
    """A text in parts of which each may be one delta."""
    return [
        text[start : start + MAX_DELTA_CHARACTERS]
        for start in range(0, len(text), MAX_DELTA_CHARACTERS)
    ]


class _Letter:
    """A command in the mailbox, more text that it has gathered, and who waits for its answer."""

    def __init__(self, command: Command, answer: asyncio.Future[Committed] | None) -> None:
        self.command = command
        self.answer = answer
        self.more: list[str] = []
        self.size = len(command.text) if isinstance(command, AppendText | AppendOutput) else 0

    def grow(self, command: AppendText | AppendOutput) -> bool:
        """Whether the letter, being of the same item, could take in the command's text."""
        if self.size + len(command.text) > MAX_DELTA_CHARACTERS or type(self.command) is not type(
            command
        ):
            return False
        mine = self.command
        if isinstance(mine, AppendText) and isinstance(command, AppendText):
            same = mine.item == command.item
        elif isinstance(mine, AppendOutput) and isinstance(command, AppendOutput):
            same = mine.call_id == command.call_id
        else:
            same = False
        if same:
            self.more.append(command.text)
            self.size += len(command.text)
        return same

    def whole(self) -> Command:
        """The command with all its text."""
        if self.more and isinstance(self.command, AppendText | AppendOutput):
            self.command = replace(self.command, text=self.command.text + "".join(self.more))
            self.more = []
        return self.command

    def refuse(self, error: BaseException) -> None:
        if self.answer is not None and not self.answer.done():
            self.answer.set_exception(error)


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
        self._mailbox: list[_Letter] = []
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
        self._post(_Letter(command, answer))
        return await answer

    def tell(self, command: Command) -> None:
        """Handle a command in its turn; a refusal is dropped."""
        if isinstance(command, AppendText | AppendOutput):
            self._waiting += len(command.text)
            if self._waiting > MAX_WAITING_CHARACTERS:
                self._room.clear()
            if self._mailbox and self._mailbox[-1].grow(command):
                return
        self._post(_Letter(command, None))

    async def room(self) -> None:
        """Wait until the mailbox can take more: a provider may be faster than the disk."""
        await self._room.wait()

    async def settle(self) -> None:
        """Wait until nothing is under way."""
        while self._working is not None:
            await asyncio.wait([self._working])

    def _post(self, letter: _Letter) -> None:
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

    async def _handle(self, letters: list[_Letter]) -> None:
        while letters:
            try:
                if self.standing is None:
                    self.standing = await load(self._store, self.conversation_id)
                draft, decided = self._draft(self.standing, letters)
                written = not draft.entries or await self._written(draft, letters)
                if not written:
                    await self._catch_up(self.standing)
                    continue
            except StoreUnavailable as error:
                self.standing = None
                letters = _remaining(letters, error)
                await asyncio.sleep(STORE_RETRY_SECONDS if letters else 0)
                continue
            except Exception as error:
                if not isinstance(error, TurnlogError):
                    log.exception("actor.failed", conversation_id=str(self.conversation_id))
                self.standing = None
                for letter in letters:
                    letter.refuse(error)
                return
            self._commit(draft, decided)
            return

    def _draft(
        self, standing: Standing, letters: list[_Letter]
    ) -> tuple[Draft, list[tuple[_Letter, int, int]]]:
        """What the letters make together; those that are refused are answered and drop out."""
        draft = Draft(standing)
        decided = []
        for letter in letters:
            first = len(draft.entries)
            try:
                draft.add(letter.whole())
            except TurnlogError as refusal:
                letter.refuse(refusal)
            else:
                decided.append((letter, first, len(draft.entries)))
        return draft, decided

    async def _written(self, draft: Draft, letters: list[_Letter]) -> bool:
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

    def _commit(self, draft: Draft, decided: list[tuple[_Letter, int, int]]) -> None:
        self.standing = standing = draft.written()
        self._tails.publish(self.conversation_id, draft.entries)
        for letter, first, end in decided:
            if letter.answer is not None and not letter.answer.done():
                letter.answer.set_result((standing, draft.entries[first:end]))
        if draft.entries:
            self._moved(self, standing)


def _remaining(letters: list[_Letter], error: StoreUnavailable) -> list[_Letter]:
    """The runners' letters; the clients' are answered with the error."""
    for letter in letters:
        if not isinstance(letter.command, _RUNNER_COMMANDS):
            letter.refuse(error)
    return [letter for letter in letters if isinstance(letter.command, _RUNNER_COMMANDS)]
