"""What a tool answers, kept within a number of lines and of bytes."""

from __future__ import annotations

BYTES_LIMIT = 64 * 1024
"""So much is told to a model at once, notes not counted: some 16,000 tokens."""


class Output:
    """Lines, and after them notes in brackets that say what was left out."""

    def __init__(self, lines: int) -> None:
        self.count = 0
        self._lines = lines
        self._bytes = BYTES_LIMIT
        self._parts: list[str] = []
        self._notes: list[str] = []

    def add(self, line: str) -> bool:
        """Take a line, its end included; False if there is no room for it any more."""
        size = len(line.encode("utf-8", "replace"))
        if self.count == self._lines or size > self._bytes:
            return False
        self.count += 1
        self._bytes -= size
        self._parts.append(line)
        return True

    def note(self, words: str) -> None:
        """Say something about what is above, in a line of its own."""
        self._notes.append(f"[{words}]")

    def text(self) -> str:
        """All of it, without a line's end after the last note."""
        told = "".join(self._parts)
        if self._notes and told and not told.endswith("\n"):
            told += "\n"
        return told + "\n".join(self._notes)
