"""Calling a tool as a turn does, and hearing what it says meanwhile."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from turnlog.domain.errors import ToolFailed
from turnlog.domain.ports import Tool


class Heard:
    """A call's output: what was `said` meanwhile, and what is `told` at its end."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.told = ""
        self.something = asyncio.Event()

    async def hear(self, text: str) -> None:
        self.said.append(text)
        self.something.set()


async def call(tool: Tool, **arguments: Any) -> Heard:
    """The call with those arguments, whose key is `call-1`."""
    heard = Heard()
    heard.told = await tool.run(arguments, "call-1", heard.hear)
    if heard.said:
        assert "".join(heard.said) == heard.told
    return heard


async def refusal(tool: Tool, **arguments: Any) -> str:
    """What the model is told when the call fails, as it must."""
    with pytest.raises(ToolFailed) as failed:
        await call(tool, **arguments)
    return str(failed.value)
