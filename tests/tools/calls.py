"""Calling a tool as a turn does."""

from __future__ import annotations

from typing import Any

import pytest

from turnlog.domain.errors import ToolFailed
from turnlog.domain.ports import Tool


async def call(tool: Tool, **arguments: Any) -> str:
    """What the model is told."""

    async def unheard(_: str) -> None:
        pass

    return await tool.run(arguments, "call-1", unheard)


async def refusal(tool: Tool, **arguments: Any) -> str:
    """What the model is told when the call fails, as it must."""
    with pytest.raises(ToolFailed) as failed:
        await call(tool, **arguments)
    return str(failed.value)


async def told_or_refused(tool: Tool, **arguments: Any) -> str:
    """What the model is told, either way."""
    try:
        return await call(tool, **arguments)
    except ToolFailed as refused:
        return str(refused)
