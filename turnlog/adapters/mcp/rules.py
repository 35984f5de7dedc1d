"""What the operator says of a server's tools, whatever the server says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import structlog
from mcp import types
from msgspec import Struct

from turnlog.adapters.mcp.names import tool_name
from turnlog.domain.tools import ToolSpec
from turnlog.domain.values import Approval

log = structlog.get_logger(__name__)


class Rules(Struct, frozen=True, kw_only=True):
    """Times in seconds: for a call, and for the server to start and to tell its tools.

    With `allowed`, no other tools are shown; those that are `repeatable` may be run again
    even if the server does not say so. Names are the server's own.
    """

    approval: Approval = "never"
    seconds: float = 60.0
    start_seconds: float = 10.0
    allowed: frozenset[str] | None = None
    repeatable: frozenset[str] = frozenset()

    def specs(self, server: str, tools: Sequence[types.Tool]) -> Iterator[tuple[str, ToolSpec]]:
        """Each tool that may be shown: its own name, and how models see it."""
        seen = set()
        for tool in tools:
            name = tool_name(server, tool.name)
            if name in seen or (self.allowed is not None and tool.name not in self.allowed):
                continue
            seen.add(name)
            yield (
                tool.name,
                ToolSpec(
                    name=name,
                    description=tool.description or tool.title or "",
                    parameters=tool.input_schema,
                    repeatable=tool.name in self.repeatable or _may_repeat(tool),
                    approval=self.approval,
                    seconds=self.seconds,
                ),
            )
        if self.allowed and (missing := self.allowed - {tool.name for tool in tools}):
            log.warning("mcp.tools_missing", server=server, tools=sorted(missing))


def _may_repeat(tool: types.Tool) -> bool:
    hints = tool.annotations
    return hints is not None and bool(hints.read_only_hint or hints.idempotent_hint)
