"""What waits in a mailbox: commands, of which the deltas of one item grow together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import get_args
from uuid import UUID

from msgspec.structs import replace

from turnlog.domain.codec import MAX_DELTA_CHARACTERS
from turnlog.domain.commands import AppendOutput, AppendText, Command, RunnerCommand
from turnlog.domain.records import AnswerRecord, Entry
from turnlog.runtime.standing import Standing

MAX_WAITING_CHARACTERS = 1 << 20
MAX_LETTERS = 512

Committed = tuple[Standing, Sequence[Entry]]
"""The standing after a commit, and the entries that one command made of it."""

Recorder = Callable[[Committed], AnswerRecord]
"""Makes the record of the answer that a command is given, before it is on disk."""

_RUNNER_COMMANDS = get_args(RunnerCommand)


class Letter:
    """A command in the mailbox, more text that it has gathered, and who waits for its answer."""

    def __init__(
        self,
        command: Command,
        answer: asyncio.Future[Committed] | None,
        record: Recorder | None = None,
    ) -> None:
        self.command = command
        self.answer = answer
        self.record = record
        self.more: list[str] = []
        self.is_text = isinstance(command, AppendText | AppendOutput)
        self.size = len(command.text) if isinstance(command, AppendText | AppendOutput) else 0

    @property
    def is_runners(self) -> bool:
        """Whether it comes from a turn's runner, who cannot say it again."""
        return isinstance(self.command, _RUNNER_COMMANDS)

    @property
    def is_forgotten(self) -> bool:
        """Whether the client that waited has gone; it may even have come back with the same."""
        return self.answer is not None and self.answer.cancelled() and not self.is_runners

    def grow(self, text: str) -> bool:
        """Whether the letter could take in more text of its item."""
        if self.size + len(text) > MAX_DELTA_CHARACTERS:
            return False
        self.more.append(text)
        self.size += len(text)
        return True

    def whole(self) -> Command:
        """The command with all its text."""
        if self.more and isinstance(self.command, AppendText | AppendOutput):
            self.command = replace(self.command, text=self.command.text + "".join(self.more))
            self.more = []
        return self.command

    def accept(self, committed: Committed) -> None:
        if self.answer is not None and not self.answer.done():
            self.answer.set_result(committed)

    def refuse(self, error: BaseException) -> None:
        if self.answer is not None and not self.answer.done():
            self.answer.set_exception(error)


class Mailbox:
    """Letters in their order. The texts of an item grow together until something else comes."""

    def __init__(self) -> None:
        self._letters: list[Letter] = []
        self._only_text = True
        self._growing: dict[_Thing, Letter] = {}
        self._characters = 0
        self._room = asyncio.Event()
        self._room.set()

    def __bool__(self) -> bool:
        return bool(self._letters)

    @property
    def only_text(self) -> bool:
        """Whether nothing waits but text, of which more may come."""
        return self._only_text

    def put(self, letter: Letter) -> None:
        """Let the letter wait, behind the others."""
        self._letters.append(letter)
        self._only_text = False
        self._growing.clear()

    def put_text(self, command: AppendText | AppendOutput) -> None:
        """Let the text wait, with what waits of the same item."""
        letter = self._growing.get(_thing(command))
        if letter is None or not letter.grow(command.text):
            letter = self._growing[_thing(command)] = Letter(command, None)
            self._letters.append(letter)
        self._characters += len(command.text)
        if self._characters > MAX_WAITING_CHARACTERS:
            self._room.clear()

    def take(self) -> list[Letter]:
        """The letters that are next."""
        taken = [letter for letter in self._letters[:MAX_LETTERS] if not letter.is_forgotten]
        self._keep(self._letters[MAX_LETTERS:])
        return taken

    def refuse_clients(self, error: BaseException) -> None:
        """Answer those who can ask again; runners can't, and wait on."""
        self._keep(runners_of(self._letters, error))

    @property
    def is_full(self) -> bool:
        """Whether no more should be put in just now."""
        return not self._room.is_set()

    async def room(self) -> None:
        """Wait until it can take more."""
        await self._room.wait()

    def _keep(self, letters: list[Letter]) -> None:
        self._letters = letters
        self._only_text = all(letter.is_text for letter in letters)
        self._growing.clear()
        self._characters = sum(letter.size for letter in letters)
        if self._characters <= MAX_WAITING_CHARACTERS:
            self._room.set()


def runners_of(letters: list[Letter], error: BaseException) -> list[Letter]:
    """The runners' letters; the clients' are answered with the error."""
    for letter in letters:
        if not letter.is_runners:
            letter.refuse(error)
    return [letter for letter in letters if letter.is_runners]


_Thing = tuple[UUID, int, int | str]
"""What a text is of: the turn, the attempt, and the item or call."""


def _thing(command: AppendText | AppendOutput) -> _Thing:
    name = command.item if isinstance(command, AppendText) else command.call_id
    return command.turn_id, command.attempt, name
