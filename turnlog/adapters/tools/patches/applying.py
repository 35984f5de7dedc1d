"""A file's content, with the hunks of its patch applied."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from turnlog.adapters.tools.patches.fitting import Fitting
from turnlog.adapters.tools.patches.lines import Lines
from turnlog.adapters.tools.patches.patch import CR, FilePatch, Hunk, shown_line
from turnlog.adapters.tools.refusals import refused
from turnlog.domain.errors import ToolFailed


class Looking(Protocol):
    """Something that is looked at between two hunks; it may raise."""

    def look(self) -> None: ...


@dataclass(frozen=True)
class Applied:
    """The new content, and what was done for it."""

    data: bytes
    added: int
    removed: int
    elsewhere: tuple[tuple[int, int], ...]
    """Hunks (their numbers, from 1) that fitted at another line than they said, and that line."""


def applied(data: bytes, patch: FilePatch, watch: Looking) -> Applied:
    """Apply all hunks of the patch; raises `ToolFailed`, naming the one that does not fit."""
    exact = any(line.endswith(CR) for hunk in patch.hunks for line in hunk.lines)
    text = Lines(data, exact=exact)
    fitting = Fitting(text, patch.hunks)
    result: list[bytes] = []
    elsewhere = []
    done = added = removed = 0
    ended = text.ended
    for number, hunk in enumerate(patch.hunks, 1):
        watch.look()
        try:
            at = fitting.place(hunk)
        except ToolFailed as misfit:
            raise _named(patch, hunk, number, str(misfit)) from None
        result += text.raw(done, at)
        result += text.patched(hunk, at)
        done = at + len(hunk.side(b"-"))
        if hunk.start and at + 1 != hunk.start:
            elsewhere.append((number, at + 1))
        if done == len(text.numbers):
            ended = _ended(hunk, ended)
        added += sum(line.startswith(b"+") for line in hunk.lines)
        removed += sum(line.startswith(b"-") for line in hunk.lines)
    result += text.raw(done, len(text.numbers))
    return Applied(text.joined(result, ended=ended), added, removed, tuple(elsewhere))


def _ended(hunk: Hunk, ended: bool) -> bool:
    """Whether the file ends with a newline after its last hunk.

    As before, if the patch does not speak of it.
    """
    return b"+" not in hunk.unended if hunk.unended else ended


def _named(patch: FilePatch, hunk: Hunk, number: int, misfit: str) -> ToolFailed:
    return refused(
        patch.path,
        f"Hunk {number} for '{{path}}' (line {hunk.at} of the patch, {{reason}}) does not fit. "
        + misfit.replace("{", "{{").replace("}", "}}"),
        shown_line(hunk.header),
    )
