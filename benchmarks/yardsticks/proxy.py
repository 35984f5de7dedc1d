"""A bare proxy of the official SDK, run as a program: it passes on, and stores nothing."""

from __future__ import annotations

import asyncio
import json
import sys

import httpx2
import uvloop
from aiohttp import web
from openai import AsyncOpenAI, DefaultAsyncHttpxClient
from openai.types.responses import ResponseTextDeltaEvent

from turnlog.adapters.wire.answering import TIMEOUT

LIMITS = httpx2.Limits(max_connections=None, max_keepalive_connections=100)


async def main(upstream_url: str) -> None:
    sdk = AsyncOpenAI(
        api_key="key",
        base_url=upstream_url,
        timeout=TIMEOUT,
        max_retries=0,
        http_client=DefaultAsyncHttpxClient(limits=LIMITS),
    )

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b":keepalive\n\n")
        message = request.query["message"]
        async with await sdk.responses.create(model="bench", input=message, stream=True) as events:
            try:
                async for event in events:
                    if isinstance(event, ResponseTextDeltaEvent):
                        data = json.dumps({"type": "message.delta", "delta": event.delta})
                        frame = b"event: message.delta\ndata: %b\n\n" % data.encode()
                        await response.write(frame)
            except ConnectionError:
                pass  # the reader has gone
        return response

    app = web.Application()
    app.add_routes([web.get("/stream", answer)])
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(json.dumps(runner.addresses[0][1]), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
