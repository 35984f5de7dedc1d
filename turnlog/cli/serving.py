"""What `turnlog serve` does and says."""

from __future__ import annotations

import gc
import socket
import sys
from collections.abc import Callable

import uvloop

from turnlog.bootstrap import open_node
from turnlog.cli.codes import code_of
from turnlog.cli.logs import configure_logs
from turnlog.cli.workers import Supervisor
from turnlog.config import BadSettings, Settings
from turnlog.http.server import serve, url_of


def run_server(settings: Settings) -> int:
    """Run one node, or several on the same socket, until asked to stop; the exit code."""
    configure_logs(settings.log_format)
    with _listener(settings) as listener:
        if not settings.ephemeral and settings.database_url is None:
            print(f"turnlog: starting PostgreSQL in {settings.data_dir} …", file=sys.stderr)

        def greet() -> None:
            print(_GREETING.format(api=f"{url_of(listener)}/api/v1"), file=sys.stderr, flush=True)

        def work(ready: Callable[[], None]) -> int:
            serving = _serve_node(settings, listener, ready)
            return code_of(lambda: uvloop.run(serving))

        if settings.workers > 1:
            return Supervisor(settings.workers, work, greet).run()
        return work(greet)


async def _serve_node(
    settings: Settings, listener: socket.socket, ready: Callable[[], None]
) -> None:
    async with open_node(settings) as turnlog:
        # What was imported stays to the end. To look through it again for garbage, an SDK's
        # thousands of types among it, would stop every stream for a tenth of a second.
        gc.collect()
        gc.freeze()
        await serve(
            turnlog,
            listener,
            default_dialect=settings.default_dialect,
            ready=ready,
            supervised=settings.workers > 1,
        )


def _listener(settings: Settings) -> socket.socket:
    """The socket, bound before anything else is started, so that a taken port is told at once."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise BadSettings(
            [f"{settings.host}:{settings.port} cannot be listened on: {error.strerror}."]
        ) from error
    return listener


_GREETING = r"""
turnlog is ready at {api}

Try it, in another terminal:

  ID=$(curl -s {api}/conversations --json '{{"modelProviderId": "demo",
    "modelProviderApi": "script", "model": "demo"}}' | grep -o '[0-9a-f-]\{{36\}}' | head -1)
  curl -s {api}/conversations/$ID/messages --json '{{"message": "Hello!"}}'
  curl -N {api}/conversations/$ID/events -H 'Accept: text/event-stream'
"""
