"""What this server is and has: its health, its providers and models, its tools."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from aiohttp import web
from msgspec import Struct

from turnlog import __version__
from turnlog.domain.errors import InvalidProvider, NotFound
from turnlog.domain.values import Approval, timestamp
from turnlog.http import parameters
from turnlog.http.encoding import json
from turnlog.runtime.application import Turnlog


class Health(Struct, frozen=True, kw_only=True):
    """The server answers; with `?ready=1`, so does its database."""

    status: str
    timestamp: str
    version: str


class Provider(Struct, frozen=True, kw_only=True, rename="camel"):
    """A provider of models; `variable` is what to set where it is not configured."""

    model_provider_id: str
    name: str
    model_provider_apis: tuple[str, ...]
    configured: bool
    variable: str | None


class ProviderList(Struct, frozen=True, kw_only=True):
    """All providers that this server knows."""

    providers: list[Provider]


class ListedModel(Struct, frozen=True, kw_only=True):
    """A model by the name under which its provider knows it."""

    model: str


class ModelList(Struct, frozen=True, kw_only=True, rename="camel"):
    """Examples of a provider's models; others can be named as well."""

    model_provider_id: str
    models: list[ListedModel]


class ListedTool(Struct, frozen=True, kw_only=True):
    """A tool; `parameters` is the JSON Schema of its arguments.

    `server` is that of an MCP tool; `approval` is what every conversation has at least.
    """

    type: Literal["builtin", "mcp"]
    server: str | None
    name: str
    description: str
    parameters: dict[str, Any]
    approval: Approval


class ToolList(Struct, frozen=True, kw_only=True):
    """The tools that models may be given here."""

    tools: list[ListedTool]


class Catalogue:
    """What can be asked about the server itself."""

    def __init__(self, turnlog: Turnlog) -> None:
        self._parts = turnlog.parts
        self._toolbox = turnlog.toolbox

    def routes(self) -> Sequence[web.RouteDef]:
        """Where these are reached, below the API's root."""
        return [
            web.get("/health", self.health),
            web.get("/providers", self.providers),
            web.get("/providers/{providerId}/models", self.models),
            web.get("/tools", self.tools),
        ]

    async def health(self, request: web.Request) -> web.Response:
        """That the server answers; if asked, that its database does too."""
        if parameters.flag(request, "ready"):
            await self._parts.store.positions()
        now = timestamp(self._parts.clock.now())
        return json(Health(status="ok", timestamp=now, version=__version__))

    async def providers(self, request: web.Request) -> web.Response:
        """The providers, configured or not."""
        listed = [
            Provider(
                model_provider_id=entry.provider_id,
                name=entry.name,
                model_provider_apis=tuple(entry.apis),
                configured=entry.configured,
                variable=entry.variable,
            )
            for entry in self._parts.models.all()
        ]
        return json(ProviderList(providers=listed))

    async def models(self, request: web.Request) -> web.Response:
        """Models of one provider."""
        provider_id = request.match_info["providerId"]
        try:
            entry = self._parts.models.provider(provider_id)
        except InvalidProvider:
            raise NotFound(thing="provider", id=provider_id[:80]) from None
        models = [ListedModel(model=name) for name in entry.models]
        return json(ModelList(model_provider_id=entry.provider_id, models=models))

    async def tools(self, request: web.Request) -> web.Response:
        """The tools with their schemas."""
        listed = [
            ListedTool(
                type="builtin" if server is None else "mcp",
                server=server,
                name=tool.spec.name,
                description=tool.spec.description,
                parameters=tool.spec.parameters,
                approval=tool.spec.approval,
            )
            for tool, server in await self._toolbox.listed()
        ]
        return json(ToolList(tools=listed))
