"""A file as lines that hunks can be compared with, and that stay as they are, byte for byte."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence

from turnlog.adapters.tools.patches.matching import UNKNOWN
from turnlog.adapters.tools.patches.patch import CR, Hunk

BLOCK = 10_000


class Lines:
    """The lines of a file, without the newlines.

    Lines that end in CR LF equal those of a patch that end in LF, since models take them
    for the same; but if the patch has a CR itself it is `exact`, and means what it says.
    """

    def __init__(self, data: bytes, *, exact: bool) -> None:
        self.ended = not data or data.endswith(b"\n")
        """Whether the last line has a newline, as it should."""
        self._raw = data.split(b"\n")
        if self.ended:
            self._raw.pop()
        self._exact = exact
        # A last line without an end is held as the one before it, until it is put out again.
        self._lent = not exact and not self.ended and _like_the_one_before(self._raw)
        if self._lent:
            self._raw[-1] += CR
        self._known: dict[bytes, int] = {}
        self.numbers = [
            self._known.setdefault(self.line(at), len(self._known)) for at in range(len(self._raw))
        ]
        """One for each line, the same for equal ones."""

    def line(self, at: int) -> bytes:
        """As it is compared."""
        return self._raw[at] if self._exact else self._raw[at].removesuffix(CR)

    def number_of(self, line: bytes) -> int:
        """The number of the lines of the file that are equal to this one."""
        return self._known.get(line, UNKNOWN)

    def standing(self, anchors: Iterable[bytes]) -> dict[bytes, array[int]]:
        """Where lines stand that are one of these, and white space around it."""
        found = {anchor: array("I") for anchor in anchors}
        for at in range(len(self._raw) if found else 0):
            places = found.get(self._raw[at].strip())
            if places is not None:
                places.append(at)
        return found

    def raw(self, first: int, after: int) -> list[bytes]:
        """Lines as they stand in the file."""
        return self._raw[first:after]

    def patched(self, hunk: Hunk, at: int) -> Iterator[bytes]:
        """What the hunk makes of the lines from `at` on.

        Those that stay are the file's own. A new one ends as the old one before it.
        """
        for line in hunk.lines:
            if line.startswith(b"+"):
                yield line[1:] + self._ending(at)
                continue
            if not line.startswith(b"-"):
                yield self._raw[at]
            at += 1

    def joined(self, result: list[bytes], *, ended: bool) -> bytes:
        """The bytes of these lines, the last of which has a newline or not."""
        # In blocks: joining takes ten times the memory of a short line for each at once.
        blocks = range(0, len(result), BLOCK)
        whole = b"\n".join([b"\n".join(result[at : at + BLOCK]) for at in blocks])
        if ended:
            return whole + b"\n" if result else whole
        was_put_there = not self._exact and (self._lent or self.ended)
        return whole.removesuffix(CR) if was_put_there else whole

    def _ending(self, at: int) -> bytes:
        """What a line that is put in before the old line `at` has before its newline."""
        if self._exact or not self._raw:
            return b""
        return CR if self._raw[max(at - 1, 0)].endswith(CR) else b""


def _like_the_one_before(lines: Sequence[bytes]) -> bool:
    return len(lines) > 1 and lines[-2].endswith(CR) and not lines[-1].endswith(CR)
