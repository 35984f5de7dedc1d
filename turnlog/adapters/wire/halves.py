"""Characters beyond U+FFFF that a provider cut into their UTF-16 halves."""

from __future__ import annotations

from turnlog.domain.codec import well_formed

_LOST = "\N{REPLACEMENT CHARACTER}"


class Halves:
    """Puts one text's pieces together; `broken`: a half had no partner and became U+FFFD."""

    def __init__(self) -> None:
        self._held = ""
        self.broken = False

    def take(self, piece: str) -> str:
        """The piece, and the half that was held back; a last half is held back itself."""
        if piece.isascii() and not self._held:
            return piece
        text, self._held = self._held + piece, ""
        if "\ud800" <= text[-1:] <= "\udbff":
            text, self._held = text[:-1], text[-1]
        return self._whole(text)

    def rest(self) -> str:
        """What is held back when the text ends."""
        text, self._held = self._held, ""
        return self._whole(text)

    def _whole(self, text: str) -> str:
        whole = well_formed(text)
        self.broken = self.broken or whole.count(_LOST) != text.count(_LOST)
        return whole
