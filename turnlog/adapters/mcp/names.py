"""The names under which models see a server's tools."""

from __future__ import annotations

import re
from hashlib import sha256

LONGEST = 64
"""Providers take so many characters, of the letters, digits, `_` and `-`."""

STRANGE = re.compile(r"[^A-Za-z0-9_-]", re.ASCII)
DIGITS = 8


def tool_name(server: str, tool: str) -> str:
    """`SERVER__TOOL`; one that providers would refuse is changed, and ends in its own hash.

    So the name stays the same for as long as the server's and the tool's do.
    """
    name = f"{server}__{tool}"
    plain = STRANGE.sub("_", name)
    if plain == name and len(name) <= LONGEST:
        return name
    return f"{plain[: LONGEST - DIGITS - 1]}_{sha256(tool.encode()).hexdigest()[:DIGITS]}"
