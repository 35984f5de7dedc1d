"""What waits in a mailbox: commands, of which the deltas of one item grow together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from msgspec.structs import replace

from turnlog.domain.commands import AppendOutput, AppendText, Command
from turnlog.domain.records import Entry
from turnlog.runtime.standing import Standing

MAX_DELTA_CHARACTERS = 32 * 1024

Committed = tuple[Standing, Sequence[Entry]]
"""The standing after a commit, and the entries that one command made of it."""


def pieces(text: str) -> list[str]:
    """A text in parts of which each may be one delta."""
    return [
        text[start : start + MAX_DELTA_CHARACTERS]
        for start in range(0, len(text), MAX_DELTA_CHARACTERS)
    ]


class Letter:
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
