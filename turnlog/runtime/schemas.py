"""Whether arguments fit a tool's JSON Schema."""

from __future__ import annotations

from typing import Any


def problems(schema: dict[str, Any], arguments: dict[str, Any]) -> list[str]:
    """What does not fit, in sentences."""
    return []
