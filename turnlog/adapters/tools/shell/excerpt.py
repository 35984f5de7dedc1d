"""What a command says, of which the beginning is told while it runs, and the end afterwards."""

from __future__ import annotations

import codecs

from turnlog.adapters.tools.output import BYTES_LIMIT
from turnlog.adapters.tools.text import REPLACEMENT

BEGINNING = BYTES_LIMIT * 3 // 4
END = BYTES_LIMIT - BEGINNING


class Excerpt:
    """Takes any number of bytes, and keeps a few."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._room = BEGINNING
        self._after = 0
        self._end = b""

    @property
    def is_full(self) -> bool:
        """Whether nothing more is told before the end."""
        return not self._room

    def add(self, data: bytes) -> str:
        """What can be told of it at once; a character that is not whole waits for the rest."""
        told, kept = data[: self._room], data[self._room :]
        self._room -= len(told)
        self._after += len(kept)
        self._end = (self._end + kept[-END:])[-END:]
        return _storable(self._decoder.decode(told))

    def rest(self) -> str:
        """What is told at the end, with a note before it if something was left out."""
        left_out = self._after - len(self._end)
        if not left_out:
            return _storable(self._decoder.decode(self._end, final=True))
        cut = self._decoder.decode(b"", final=True)
        end = self._end.lstrip(_CONTINUATIONS).decode("utf-8", "replace")
        return _storable(f"{cut}\n[{left_out:,} bytes are left out here]\n{end}")


# A character that was cut in two begins with these.
_CONTINUATIONS = bytes(range(0x80, 0xC0))


def _storable(text: str) -> str:
    return text.replace("\0", REPLACEMENT)
