"""What a tool says of itself."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from turnlog.domain.values import Approval


class ToolSpec(Struct, frozen=True, kw_only=True):
    """A tool as models see it.

    `parameters` is the JSON Schema (2020-12) of its arguments object; `repeatable` says
    that a call whose outcome is unknown may safely be run again. `approval`: whether a
    person must allow each call, whatever a conversation says. `unasked`: models are given
    it also where a conversation chooses no tools. A call may take `seconds`.
    """

    name: str
    description: str
    parameters: dict[str, Any]
    repeatable: bool = False
    approval: Approval = "never"
    unasked: bool = False
    seconds: float = 60.0
