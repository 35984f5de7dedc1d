"""Tools' schemas in the form that every provider takes."""

from __future__ import annotations

from typing import Any

from turnlog.domain.tools import ToolSpec


def schema_of(tool: ToolSpec) -> dict[str, Any]:
    """The schema of its arguments, which always says that they are an object's properties."""
    return {"type": "object", "properties": {}} | tool.parameters
