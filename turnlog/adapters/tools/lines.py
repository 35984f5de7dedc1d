"""The lines of a file that match a pattern, in memory that does not grow with the file."""

from __future__ import annotations

from collections.abc import Iterator
from io import BufferedReader

from turnlog.adapters.tools.patterns import Pattern
from turnlog.adapters.tools.text import shown_text
from turnlog.adapters.tools.watch import Watch

# Between two looks at the watch; the worst pattern needs some seconds for it.
BLOCK = 16 * 1024
BEFORE = 60
SHOWN = 300
CONTINUATION = bytes(range(0x80, 0xC0))


def matching_lines(
    file: BufferedReader, pattern: Pattern, watch: Watch
) -> Iterator[tuple[int, str]]:
    """The number of each line in which the pattern is found, and its text around the match.

    Lines longer than a block are searched in pieces, so a match across two
    pieces is missed, and `^` and `$` hold at their edges too.
    """
    number, told = 1, 0
    while not watch.over() and (block := file.read(BLOCK)):
        if not block.endswith(b"\n"):
            block += file.readline(BLOCK)
        counted = here = 0
        while here < len(block) and (found := pattern.search(block, here)) is not None:
            start = found.start()
            if start == len(block) and block.endswith(b"\n"):
                break
            number += block.count(b"\n", counted, start)
            counted = start
            end = block.find(b"\n", start)
            end = len(block) if end < 0 else end
            if number > told:
                yield number, _around(block, start, end)
                told = number
            here = end + 1
        number += block.count(b"\n", counted)


def _around(block: bytes, start: int, end: int) -> str:
    """The line that has a match at `start`, or as much of it as is shown."""
    begin = block.rfind(b"\n", 0, start) + 1
    line = block[begin:end].removesuffix(b"\r")
    if len(line) <= SHOWN:
        return shown_text(line)
    cut = max(0, start - begin - BEFORE)
    window = line[cut : cut + SHOWN].lstrip(CONTINUATION)
    before = "…" if cut else ""
    after = "…" if cut + SHOWN < len(line) else ""
    return before + shown_text(window, whole=False) + after
