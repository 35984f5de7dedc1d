"""Which tools a turn's model may call, where each runs, and whether a person must agree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import assert_never

import structlog
from msgspec import Struct

from turnlog.domain.errors import ToolFailed
from turnlog.domain.ports import Tool, ToolServer
from turnlog.domain.tools import ToolSpec
from turnlog.domain.values import (
    Approval,
    BuiltinTool,
    Consent,
    FunctionTool,
    McpTool,
    RunsOn,
    ToolChoice,
)

log = structlog.get_logger(__name__)


class Offer(Struct, frozen=True, kw_only=True):
    """A tool as one turn has it; `tool` is None where the caller runs it."""

    spec: ToolSpec
    approval: Consent
    tool: Tool | None = None

    @property
    def runs_on(self) -> RunsOn:
        """Who runs its calls."""
        return "client" if self.tool is None else "server"


Offers = Mapping[str, Offer]
"""What a model may call, by name."""


class Toolbox:
    """The tools of this server, and of the servers that it knows."""

    def __init__(self, tools: Mapping[str, Tool], servers: Mapping[str, ToolServer]) -> None:
        self._tools = tools
        self._servers = servers

    async def offers(self, chosen: Sequence[ToolChoice] | None) -> Offers:
        """The tools of these choices, in their order (None: those for who does not choose).

        What is not there any more is left out. Of two of a name the first one counts.
        """
        if chosen is None:
            unasked = [tool for tool in self._tools.values() if tool.spec.unasked]
            return {tool.spec.name: _offer(tool) for tool in unasked}
        offers: dict[str, Offer] = {}
        for choice in chosen:
            for offer in await self._chosen(choice):
                offers.setdefault(offer.spec.name, offer)
        return offers

    async def listed(self) -> list[tuple[Tool, str | None]]:
        """Every tool that runs here, and of which server it comes."""
        tools: list[tuple[Tool, str | None]] = [(tool, None) for tool in self._tools.values()]
        for name in self._servers:
            tools += [(tool, name) for tool in await self._of_server(name)]
        return tools

    async def _chosen(self, choice: ToolChoice) -> list[Offer]:
        match choice:
            case str():
                return list(self._own(choice, "never"))
            case BuiltinTool():
                return list(self._own(choice.name, choice.approval))
            case FunctionTool():
                return [_of_caller(choice)]
            case McpTool():
                tools = await self._of_server(choice.server)
                return [_offer(tool, choice.approval) for tool in tools]
            case _:
                assert_never(choice)

    def _own(self, name: str, approval: Approval) -> Iterator[Offer]:
        if tool := self._tools.get(name):
            yield _offer(tool, approval)

    async def _of_server(self, name: str) -> Sequence[Tool]:
        server = self._servers.get(name)
        if server is None:
            return ()
        try:
            return await server.tools()
        except ToolFailed:
            log.warning("toolbox.server_unavailable", server=name)
            return ()


def _offer(tool: Tool, asked: Approval = "never") -> Offer:
    """Who runs the server says what needs consent at least; who talks to it may want more."""
    always = "always" in (asked, tool.spec.approval)
    return Offer(spec=tool.spec, approval="required" if always else "none", tool=tool)


def _of_caller(choice: FunctionTool) -> Offer:
    spec = ToolSpec(name=choice.name, description=choice.description, parameters=choice.parameters)
    return Offer(spec=spec, approval="required" if choice.approval == "always" else "none")
