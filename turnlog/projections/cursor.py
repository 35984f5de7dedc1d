"""Where a reader wants to go on: the word of a `Last-Event-ID`, or of `?after=`."""

from __future__ import annotations

import re
from typing import Literal

from turnlog.domain.errors import InvalidCursor

_CURSOR = re.compile(r"(?:[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}:)?([0-9]{1,18})")


def parse(word: str) -> int | Literal["latest"]:
    """The offset after which to read, from an id of any dialect (`17`, `TURN:17`); or `latest`.

    Raises `InvalidCursor`. Whether the log is that long is for the caller to see.
    """
    if word == "latest":
        return "latest"
    cursor = _CURSOR.fullmatch(word)
    if cursor is None:
        raise InvalidCursor(cursor=word[:80], expected="the id of an event, or a number from 0")
    return int(cursor[1])
