"""Given facts, when a command, then facts: how the tests of the domain speak."""

from __future__ import annotations

from typing import Self

import pytest
from msgspec.structs import replace

from tests.domain.ask import NOW
from turnlog.domain.commands import Command
from turnlog.domain.conversation import Conversation, evolve
from turnlog.domain.decisions import decide
from turnlog.domain.errors import TurnlogError
from turnlog.domain.events import Delta, Fact
from turnlog.domain.values import timestamp

EARLIER = NOW - 60_000_000


class Decision:
    """A command put to a conversation."""

    def __init__(self, command: Command, state: Conversation) -> None:
        self._command = command
        self._state = state

    def then(self, *facts: Fact) -> None:
        """It makes these facts, at the moment of the command."""
        assert decide(self._command, self._state) == list(facts)

    def refused(self, error: type[TurnlogError], saying: str = "") -> None:
        """It is refused."""
        with pytest.raises(error) as refusal:
            decide(self._command, self._state)
        assert type(refusal.value) is error
        assert saying in str(refusal.value)


class Given:
    """A conversation after some facts, which happened a minute ago."""

    def __init__(self, facts: tuple[Fact | None, ...]) -> None:
        self.state = fold(*(None if fact is None else _earlier(fact) for fact in facts))

    def and_then(self, *commands: Command) -> Self:
        """What these commands made has happened too."""
        for command in commands:
            for fact in decide(command, self.state):
                self.state = evolve(self.state, _earlier(fact))
        return self

    def when(self, command: Command) -> Decision:
        return Decision(command, self.state)


def given(*facts: Fact | None) -> Given:
    return Given(facts)


def fold(*facts: Fact | None) -> Conversation:
    """The state after facts from the beginning of a log."""
    state = Conversation()
    for fact in facts:
        state = evolve(state, fact)
    return state


def _earlier(fact: Fact) -> Fact:
    return fact if isinstance(fact, Delta) else replace(fact, at=timestamp(EARLIER))
