"""The time at which a chunk was sent, as a word of its text: one machine has one clock."""

from __future__ import annotations

import re
import time

_UNIT = 10_000  # ns; nine digits of them last for hours
_MOST = 10**9

PATTERN = re.compile(rb"@(\d{9})")


def stamp() -> str:
    """Now, as a word of ten letters."""
    return f"@{time.monotonic_ns() // _UNIT % _MOST:09d}"


def now() -> int:
    """The same as a number."""
    return time.monotonic_ns() // _UNIT % _MOST


def units(seconds: float) -> int:
    """The inverse of `seconds`."""
    return round(seconds * 1e9 / _UNIT)


def seconds(units: int) -> float:
    """A difference of two stamps."""
    return units * _UNIT / 1e9
