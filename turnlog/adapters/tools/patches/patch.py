"""What a patch says, in whichever format: files, and hunks within them."""

from __future__ import annotations

from dataclasses import dataclass, field

from turnlog.adapters.tools.text import shown_text
from turnlog.domain.errors import ToolFailed

SHOWN = 200
CR = b"\r"


@dataclass(frozen=True)
class Hunk:
    """Lines of a file that stand together, and what they become.

    `lines` are as in the patch, each with its sign; an empty one is an empty line of
    context. `start` is the number of the first old line, if the patch gives one, and
    `anchors` are lines that stand before it, each after the one before. The old lines
    end the file if `at_end`. `unended` has a '-' if the last of the old ones is said to
    have no newline, and a '+' for the new ones.
    """

    at: int
    header: bytes
    lines: list[bytes]
    start: int | None = None
    anchors: tuple[bytes, ...] = ()
    at_end: bool = False
    unended: frozenset[bytes] = frozenset()

    def side(self, sign: bytes) -> list[bytes]:
        """The old lines (b"-") or the new ones (b"+"), without their signs."""
        return [line[1:] for line in self.lines if line[:1] in (b"", b" ", sign)]


@dataclass(frozen=True)
class FilePatch:
    """What becomes of one file: from `source` (None: it is new) to `target` (None: it goes).

    `whole`: all that a deleted file had is in its hunks. `at` is its line in the patch.
    """

    at: int
    source: str | None
    target: str | None
    hunks: list[Hunk] = field(default_factory=list)
    executable: bool | None = None
    whole: bool = True

    @property
    def path(self) -> str:
        """What to call it."""
        return self.source or self.target or ""


def not_understood(at: int, words: str) -> ToolFailed:
    """The refusal of a patch because of its line `at`, from 1."""
    return ToolFailed(f"Line {at} of the patch: {words}")


def shown_line(line: bytes, cut: int = 0) -> str:
    """A line, in quotes, without its end; so much of a long one as is shown, from `cut` on."""
    text = shown_text(line[cut : cut + SHOWN]).removesuffix("\r")
    return f"{'…' * (cut > 0)}'{text}'{'…' * (cut + SHOWN < len(line))}"
