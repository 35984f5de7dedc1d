"""A tool that changes something, for the nodes of a chaos run: each call may take effect once."""

from __future__ import annotations

import asyncio
import os

from turnlog.toolkit import Call, tool

EFFECTS = "CHAOS_EFFECTS"
"""Names the file that takes a line for each time that a call takes effect."""


@tool
async def strike(*, call: Call) -> str:
    """Leave a mark that nothing takes away."""
    with open(os.environ[EFFECTS], "a") as effects:  # noqa: ASYNC230 - a line, at once
        effects.write(f"{call.key}\n")
    await asyncio.sleep(0.2)  # so that nodes die while it runs
    return "struck"
