"""Bytes and file names as text that can be stored and shown anywhere."""

from __future__ import annotations

import codecs
import unicodedata

HEAD = 8192
"""So many bytes at the beginning of a file decide whether it is text."""

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
CONTROLS = bytes(sorted(set(range(32)) - set(b"\b\t\n\v\f\r\x1b")))
STRANGE = 0.3

# Controls, halves of surrogate pairs, separators of lines and paragraphs.
UNSHOWN = frozenset({"Cc", "Cs", "Zl", "Zp"})


def is_binary(head: bytes) -> bool:
    """Whether a file that begins so is no text: a NUL, or nearly a third is not UTF-8."""
    if b"\0" in head:
        return True
    text = shown_text(head, whole=False)
    controls = len(head) - len(head.translate(None, CONTROLS))
    return text.count(REPLACEMENT) + controls > STRANGE * len(text)


def shown_text(data: bytes, *, whole: bool = True) -> str:
    """UTF-8 decoded; what is not, and NUL, which PostgreSQL cannot store, is replaced.

    If the data is not `whole`, a character that was cut at its end is dropped.
    """
    text, _ = codecs.utf_8_decode(data, "replace", whole)
    return text.replace("\0", REPLACEMENT)


def shown_name(name: str) -> str:
    """A file name or path on one line: what is not UTF-8, or a control, is replaced."""
    if name.isprintable():
        return name
    return "".join(
        REPLACEMENT if unicodedata.category(character) in UNSHOWN else character
        for character in name
    )
