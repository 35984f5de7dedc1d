"""Finding where a hunk belongs in a file: exactly there, or in one place only.

Its old lines have to stand there as they are in the patch, spaces at their ends
included. The number in its header is believed if they stand at it, or as far from it
as the hunk before was; otherwise, and where there is none, they have to be unique
after the hunk before.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from turnlog.adapters.tools.patches.lines import Lines
from turnlog.adapters.tools.patches.matching import Matches, few_places, matches
from turnlog.adapters.tools.patches.patch import SHOWN, Hunk, shown_line
from turnlog.domain.errors import ToolFailed

NAMED = 5


class Fitting:
    """Takes the hunks of one file in their order."""

    def __init__(self, text: Lines, hunks: Sequence[Hunk]) -> None:
        self._text = text
        old = {text.number_of(line) for hunk in hunks for line in hunk.side(b"-")}
        self._few = few_places(old, text.numbers)
        self._standing = text.standing({anchor for hunk in hunks for anchor in hunk.anchors})
        self._drift = 0
        self._done = 0

    def place(self, hunk: Hunk) -> int:
        """The number, from 0, of the line at which the hunk begins; raises `ToolFailed`."""
        old = [self._text.number_of(line) for line in hunk.side(b"-")]
        at = self._place(hunk, old) if old else self._insertion(hunk)
        if hunk.start is not None and old:
            self._drift = at - (hunk.start - 1)
        self._done = at + len(old)
        return at

    def _place(self, hunk: Hunk, old: list[int]) -> int:
        text = self._text.numbers
        if hunk.at_end or b"-" in hunk.unended:
            last = len(text) - len(old)
            if last >= self._done and text[last:] == old and self._unended(hunk):
                return last
            raise ToolFailed(self._no_end(hunk, matches(old, text, self._done, last)))
        near = self._done
        if hunk.start is not None:
            near = hunk.start - 1 + self._drift
            exact = {
                at
                for at in (near, hunk.start - 1)
                if at >= self._done and text[at : at + len(old)] == old
            }
            if len(exact) == 1:
                return exact.pop()
        begins = self._begins(hunk.anchors)
        places = self._everywhere(old, begins[0])
        if hunk.anchors:
            following = (_next(places, begin) for begin in begins)
            places = sorted({at for at in following if at is not None})
        if len(places) == 1:
            return places[0]
        if not places:
            found = matches(old, text, begins[0], max(near, begins[0]))
            raise ToolFailed(self._misfit(hunk, found))
        named = ", ".join(str(at + 1) for at in places[:NAMED])
        raise ToolFailed(
            f"It fits in {len(places)} places, at the lines {named}"
            f"{' and others' if len(places) > NAMED else ''} of the file. Give more lines of "
            "context, until it fits in one."
        )

    def _everywhere(self, old: list[int], begin: int) -> list[int]:
        """All places at `begin` or after it where the lines stand."""
        few = [(len(self._few[line]), at) for at, line in enumerate(old) if line in self._few]
        if not few:
            return matches(old, self._text.numbers, begin, begin).places
        _, offset = min(few)
        places = (at - offset for at in self._few[old[offset]])
        return [
            at for at in places if at >= begin and self._text.numbers[at : at + len(old)] == old
        ]

    def _insertion(self, hunk: Hunk) -> int:
        """Where a hunk belongs that has new lines only."""
        if not self._text.numbers or hunk.at_end:
            return len(self._text.numbers)
        raise ToolFailed(
            "It has new lines only, so where they belong cannot be checked. Give the lines "
            "before or after them as context, each after a space."
        )

    def _begins(self, anchors: Sequence[bytes]) -> list[int]:
        """Where to look from: after the hunk before, and after what the header names."""
        if not anchors:
            return [self._done]
        begins: list[int] = []
        for each, anchor in enumerate(anchors):
            stands = self._standing[anchor]
            stands = stands[bisect_left(stands, self._done) :]
            after = (_next(stands, begin + 1) for begin in begins)
            begins = sorted({at for at in after if at is not None}) if each else list(stands)
            if not begins:
                before = "the lines before it" if each else "the hunk before"
                where = f"after {before}" if each or self._done else "in the file"
                raise ToolFailed(
                    f"Its header names the line {shown_line(anchor)}, which is not {where}."
                )
        return begins

    def _unended(self, hunk: Hunk) -> bool:
        """Whether the file lacks its last newline, if the hunk says so."""
        return b"-" not in hunk.unended or not self._text.ended

    def _no_end(self, hunk: Hunk, found: Matches) -> str:
        """What was expected of the file's end."""
        if not found.places:
            return self._misfit(hunk, found)
        if not self._unended(hunk):
            return "It says that there is no newline at the end of the file, but there is one."
        return f"It fits at line {found.places[-1] + 1}, which is not the end of the file."

    def _misfit(self, hunk: Hunk, found: Matches) -> str:
        """What was expected, and what stands there instead."""
        old = hunk.side(b"-")
        if found.most:
            at, matched = found.nearest, found.most
            lines = "line fits" if matched == 1 else f"{matched} lines fit"
            return (
                f"Its first {lines} at line {at + 1} of the file, but then "
                f"{self._against(old[matched], at + matched)}"
            )
        if hunk.start:
            return f"At line {hunk.start} of the file {self._against(old[0], hunk.start - 1)}"
        return self._nowhere(old[0], found.nearest)

    def _against(self, wanted: bytes, at: int) -> str:
        if at >= len(self._text.numbers):
            ends = len(self._text.numbers)
            return f"{shown_line(wanted)} is expected, and the file has only {ends:,} lines."
        stands = self._text.line(at)
        spaces = " They differ in white space only." * (stands.split() == wanted.split())
        cut = max(_common(wanted, stands) - SHOWN // 2, 0)
        return (
            f"{shown_line(wanted, cut)} is expected, and {shown_line(stands, cut)} stands there "
            f"(line {at + 1}).{spaces}"
        )

    def _nowhere(self, wanted: bytes, begin: int) -> str:
        where = f"after line {begin}" if begin else "in the file"
        words = wanted.split()
        for at in range(begin, len(self._text.numbers)):
            if words and self._text.line(at).split() == words:
                where += f"; line {at + 1} differs from it in white space only"
                break
        return f"Its first line, {shown_line(wanted)}, is not {where}. readFile shows what is."


def _common(one: bytes, other: bytes) -> int:
    """With how many bytes both begin."""
    differ = (at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    return next(differ, min(len(one), len(other)))


def _next(stand: Sequence[int], at: int) -> int | None:
    """The first of the ascending numbers that is `at` or more."""
    index = bisect_left(stand, at)
    return stand[index] if index < len(stand) else None
