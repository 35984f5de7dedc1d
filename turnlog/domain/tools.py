"""What a tool says of itself."""

from __future__ import annotations

from typing import Any

from msgspec import Struct


class ToolSpec(Struct, frozen=True, kw_only=True):
    """A tool as models see it.

    `parameters` is the JSON Schema of its arguments object; `repeatable` says
    that a call whose outcome is unknown may safely be run again.
    """

    name: str
    description: str
    parameters: dict[str, Any]
    repeatable: bool = False
