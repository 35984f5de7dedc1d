"""What the contract promises and this version does not have yet."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from turnlog.http.errors import NotYet

_PATHS = (
    "/conversations/{conversationId}/fork",
    "/stream-tickets",
)


class Later:
    """Says so."""

    def routes(self) -> Sequence[web.RouteDef]:
        """Where these will be reached, below the API's root."""
        return [web.route("*", path, self.refuse) for path in _PATHS]

    async def refuse(self, request: web.Request) -> web.Response:
        """Not found, for now."""
        raise NotYet(path=request.path)
