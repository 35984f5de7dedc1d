"""A server that ends under its users, killed for its memory perhaps, is started again."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import structlog

from turnlog.adapters.embedded.errors import EmbeddedPostgresFailed

WATCH_SECONDS = 1.0

log = structlog.get_logger(__name__)


@asynccontextmanager
async def watched(start_again: Callable[[], bool]) -> AsyncIterator[None]:
    """Call `start_again` every second, in a thread; it may refuse, and is called again then.

    On leaving, what it has begun is waited for.
    """
    over = asyncio.Event()

    async def watch() -> None:
        while not over.is_set():
            try:
                if await asyncio.to_thread(start_again):
                    log.warning("embedded_postgres.started_again")
            except EmbeddedPostgresFailed as failure:
                log.warning("embedded_postgres.not_started", reason=failure.details["reason"])
            with suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), WATCH_SECONDS)

    watching = asyncio.create_task(watch())
    try:
        yield
    finally:
        over.set()
        await asyncio.wait([watching])
