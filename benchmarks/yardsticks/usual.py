"""The usual way to fan out, run as a program: aiohttp, a queue and a task per subscriber."""

from __future__ import annotations

import asyncio
import json

import uvloop
from aiohttp import web

queues: set[asyncio.Queue[bytes]] = set()


async def publish(request: web.Request) -> web.Response:
    message = await request.read()
    for queue in queues:
        queue.put_nowait(message)
    return web.Response(status=202)


async def subscribe(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    await response.write(b":keepalive\n\n")
    queue: asyncio.Queue[bytes] = asyncio.Queue()
    queues.add(queue)
    try:
        while True:
            await response.write(b"event: message.delta\ndata: %b\n\n" % await queue.get())
    except ConnectionError:
        return response
    finally:
        queues.discard(queue)


async def main() -> None:
    app = web.Application()
    app.add_routes([web.post("/pub", publish), web.get("/sub", subscribe)])
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(json.dumps(runner.addresses[0][1]), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main())
