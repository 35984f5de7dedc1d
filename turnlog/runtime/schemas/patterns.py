"""The patterns of schemas, matched on RE2: in linear time, whoever wrote pattern and text.

A schema's patterns are those of ECMA-262. What RE2 does not have (look-around,
back-references, more than 1,000 repetitions) is known, and cannot be matched here.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Protocol, cast

import re2

MEMORY = 1 << 18

_ESCAPE = re.compile(r"\\(?:u\{([0-9A-Fa-f]{1,6})\}|u([0-9A-Fa-f]{4})|(.))", re.DOTALL)
_FAULTS = ("missing", "unexpected", "no argument", "trailing", "invalid character class range")


class Pattern(Protocol):
    """A compiled pattern."""

    @property
    def programsize(self) -> int:
        """In instructions: a byte of text costs as many steps at most."""

    def search(self, text: bytes) -> object | None:
        """A match, if there is one anywhere."""


def compiled(pattern: str) -> Pattern | None:
    """The pattern; None if it cannot be matched here."""
    found = _compiled(pattern)
    return None if isinstance(found, str) else found


def fault(pattern: str) -> str | None:
    """What makes it no pattern anywhere; None for one that merely cannot be matched here."""
    found = _compiled(pattern)
    if not isinstance(found, str) or not found.startswith(_FAULTS) or r"\p" in found:
        return None
    return found


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> Pattern | str:
    options = re2.Options()
    options.max_mem = MEMORY
    options.log_errors = False
    try:
        return cast(Pattern, re2.compile(_ESCAPE.sub(_as_re2, pattern), options))
    except re2.error as error:
        (reason,) = error.args
        return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
    except UnicodeError:
        return "it has half a character in it"


def _as_re2(escape: re.Match[str]) -> str:
    digits = escape[1] or escape[2]
    return rf"\x{{{digits}}}" if digits else escape[0]
