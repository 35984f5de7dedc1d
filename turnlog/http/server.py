"""Listening, and stopping: what runs turns gets its time, and every stream its end."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable

import structlog
from aiohttp import web

from turnlog.http.app import make_app
from turnlog.runtime.application import Turnlog

DRAIN_SECONDS = 10.0
HANDLERS_SECONDS = 2.0

log = structlog.get_logger(__name__)


async def serve(
    turnlog: Turnlog,
    listener: socket.socket,
    *,
    default_dialect: str,
    ready: Callable[[], None],
    supervised: bool = False,
) -> None:
    """Serve until SIGTERM or SIGINT; a second one ends the process at once.

    Then: no more connections, the turns may finish for so long, the streams end,
    for their readers to resume elsewhere. One who is `supervised` leaves it to its
    supervisor when it is enough: a terminal's or a service manager's signals reach both.
    """
    stop = _asked_to_stop(for_good=not supervised)
    app = make_app(turnlog, default_dialect=default_dialect)
    runner = web.AppRunner(
        app, access_log=None, handler_cancellation=True, shutdown_timeout=HANDLERS_SECONDS
    )
    await runner.setup()
    async with turnlog.running(DRAIN_SECONDS, with_siblings=supervised):
        site = web.SockSite(runner, listener)
        await site.start()
        ready()
        await stop.wait()
        log.info("server.stopping", turns=turnlog.turns_running)
        await site.stop()
    await runner.cleanup()
    log.info("server.stopped")


def _asked_to_stop(*, for_good: bool) -> asyncio.Event:
    """Set by the first SIGTERM or SIGINT; the second ends the process, if that is `for_good`."""
    stop = asyncio.Event()

    def asked() -> None:
        if stop.is_set() and for_good:
            os._exit(0)
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked)
    return stop


def url_of(listener: socket.socket) -> str:
    """Where a listening socket is reached."""
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
