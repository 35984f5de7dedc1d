"""The wire vocabularies in which a log can be read, by name."""

from __future__ import annotations

from typing import Protocol

from turnlog.domain.errors import InvalidInput
from turnlog.domain.records import Entry
from turnlog.projections.context import Context
from turnlog.projections.dialects.codex import Codex
from turnlog.projections.dialects.turnlog import Turnlog
from turnlog.projections.levels import Levels


class Dialect(Protocol):
    """One vocabulary: a pure function from events to frames."""

    @property
    def levels(self) -> Levels:
        """The levels that apply unless others are asked for."""

    @property
    def needs_context(self) -> bool:
        """Whether `render` looks at what came before."""

    def render(self, entry: Entry, levels: Levels, context: Context) -> bytes:
        """The frames of one event, of which the last has the id; empty if it has none."""


DIALECTS: dict[str, Dialect] = {"turnlog": Turnlog(), "codex": Codex()}


def dialect(name: str) -> Dialect:
    """The dialect of that name; raises `InvalidInput`."""
    if name not in DIALECTS:
        raise InvalidInput(message=f"'{name[:80]}' is no dialect: {', '.join(DIALECTS)}.")
    return DIALECTS[name]
