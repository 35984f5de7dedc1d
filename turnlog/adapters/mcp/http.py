"""A server that is reached over streamable HTTP."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager

import httpx2
from mcp.client._transport import TransportStreams
from mcp.client.streamable_http import MCP_SESSION_ID, streamable_http_client

from turnlog.adapters.mcp.wire import LONGEST_MESSAGE, ServerFailed

# Calls have a limit of their own, and a stream of notifications may be silent for days.
TIMEOUT = httpx2.Timeout(10.0, read=None)


class HttpWire:
    """A server of somebody else's; `headers` go with every request."""

    def __init__(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        self.lost = False
        self.ended: str | None = None
        self.status: int | None = None
        self._url = url
        # Compressed, a message could be of any size.
        self._headers = {**(headers or {}), "Accept-Encoding": "identity"}

    @asynccontextmanager
    async def open(self) -> AsyncIterator[TransportStreams]:
        """Connections are made as requests need them; the first that fails ends it, raising."""
        async with (
            httpx2.AsyncClient(
                headers=self._headers, timeout=TIMEOUT, event_hooks={"response": [self._note]}
            ) as client,
            streamable_http_client(
                self._url, http_client=client, max_sse_event_size=LONGEST_MESSAGE
            ) as streams,
        ):
            yield streams

    def abort(self) -> None:
        """It is not ours to end."""

    async def _note(self, response: httpx2.Response) -> None:
        """See what the SDK does not tell: the status, and how long a body becomes."""
        if response.status_code >= 400 and response.request.method == "POST":
            self.status = response.status_code
            # A server that was started again knows nothing of us (the protocol's 2025-11-25
            # version, "Session Management").
            self.lost |= self.status == 404 and MCP_SESSION_ID in response.request.headers
        if response.headers.get("content-encoding", "identity") != "identity":
            raise ServerFailed("compresses its answers, though it was asked not to")
        if not response.headers.get("content-type", "").startswith("text/event-stream"):
            assert isinstance(response.stream, httpx2.AsyncByteStream)
            response.stream = _Bounded(response.stream)


class _Bounded(httpx2.AsyncByteStream):
    """A body of no more than a message's size; raises `ServerFailed` beyond."""

    def __init__(self, body: httpx2.AsyncByteStream) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        size = 0
        async for piece in self._body:
            size += len(piece)
            if size > LONGEST_MESSAGE:
                raise ServerFailed(f"sent a message of more than {LONGEST_MESSAGE:,} bytes")
            yield piece

    async def aclose(self) -> None:
        await self._body.aclose()
