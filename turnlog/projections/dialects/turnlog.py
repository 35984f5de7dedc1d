"""The log in its own words: the stored bytes, and at `summary` less of them."""

from __future__ import annotations

from turnlog.domain.records import Entry
from turnlog.projections.context import Context
from turnlog.projections.frames import frame, stored
from turnlog.projections.levels import Levels, summary


class Turnlog:
    """`id` is the offset, `event` the type, `data` what is stored."""

    levels = Levels(thinking="full", tools="full")
    needs_context = False

    def render(self, entry: Entry, levels: Levels, context: Context) -> bytes:
        """The frame of one event; nothing is decoded but for a summary."""
        match levels.of(entry.topic):
            case "full":
                return stored(entry)
            case "summary":
                data = summary(entry.topic, entry.state)
                return frame(str(entry.offset), entry.topic, data) if data else b""
            case "none":
                return b""
