"""The OpenAPI 3.1 document, from the types by which requests are checked and answers made."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web


class OpenApi:
    """Serves the document."""

    def routes(self) -> Sequence[web.RouteDef]:
        """Where it is reached, below the API's root."""
        return []
