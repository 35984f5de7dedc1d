"""Blobs: the images and long texts that messages name by their SHA-256."""

from __future__ import annotations

import re
from collections.abc import Sequence

from aiohttp import web

from turnlog.domain.errors import NotFound
from turnlog.http import parameters
from turnlog.http.preconditions import not_modified
from turnlog.runtime import queries
from turnlog.runtime.application import Turnlog

_SHA256 = re.compile(r"[0-9a-f]{64}")


class Blobs:
    """What is kept beside the log; each only within its own conversation."""

    def __init__(self, turnlog: Turnlog) -> None:
        self._parts = turnlog.parts

    def routes(self) -> Sequence[web.RouteDef]:
        """Where these are reached, below the API's root."""
        return [web.get("/conversations/{conversationId}/blobs/{sha256}", self.show)]

    async def show(self, request: web.Request) -> web.Response:
        """The bytes, which never change; a browser must not take them for anything else."""
        conversation_id = parameters.conversation_id(request)
        sha256 = request.match_info["sha256"]
        if not _SHA256.fullmatch(sha256):
            raise NotFound(thing="blob", id=sha256[:80])
        blob = await queries.blob(self._parts, conversation_id, sha256)
        tag = f'"{sha256}"'
        if known := not_modified(request, tag):
            return known
        return web.Response(
            body=blob.data,
            content_type=blob.media_type,
            charset="utf-8" if blob.media_type.startswith("text/") else None,
            headers={
                "ETag": tag,
                "Cache-Control": "private, max-age=31536000, immutable",
                "Content-Security-Policy": "default-src 'none'; sandbox",
                "X-Content-Type-Options": "nosniff",
            },
        )
