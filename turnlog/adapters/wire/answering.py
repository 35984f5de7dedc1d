"""From the raw response of an official SDK to the parts of an answer."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from functools import cache
from typing import Protocol

import httpx2

from turnlog.adapters.wire.event_lines import EventLines
from turnlog.adapters.wire.failures import Service, cut_short, failure_of
from turnlog.adapters.wire.metering import Meter
from turnlog.domain.codec import well_formed
from turnlog.domain.model import (
    ItemCompleted,
    ItemDelta,
    ModelPart,
    ModelRequest,
    StepFinished,
    UsageReported,
)
from turnlog.domain.values import StopReason, Usage

TIMEOUT = httpx2.Timeout(None, connect=10.0)
# 0 is no limit, to aiohttp; None would be its own of 100.
LIMITS = httpx2.Limits(max_connections=0, keepalive_expiry=30.0)
MAX_ID = 256  # characters of an id that is only kept to look an answer up
_LAST_BYTES = 0.1


@cache
def trusted() -> ssl.SSLContext:
    """Whom the SDKs' clients trust, as httpx2 has it; all share what takes 20 ms to make."""
    return httpx2.create_ssl_context()


class Response(Protocol):
    """A response of the SDKs, of which nothing has been read."""

    def iter_bytes(self) -> AsyncIterator[bytes]:
        """The body, decompressed."""
        ...


class Reader(Protocol):
    """Makes parts of one wire's payloads, and remembers what was told of the whole answer.

    `whole`: the end of the answer was told; `ended`: nothing follows in the stream.
    """

    whole: bool
    ended: bool
    usage: Usage | None
    stop_reason: StopReason
    response_id: str | None

    def read(self, payload: bytes) -> Iterable[ModelPart]:
        """The parts that a payload makes. Raises `ModelFailed` or `Garbled`."""


async def answer(
    request: ModelRequest,
    ask: Callable[[], AbstractAsyncContextManager[Response]],
    reader: Reader,
    service: Service,
) -> AsyncGenerator[ModelPart, None]:
    """The parts of an answer. Closing the generator closes the response, and so hangs up.

    The usage so far is told as soon as the provider accepts the request, after whatever
    was heard at once, after each item, and before a failure: who hangs up has been told.
    """
    meter = Meter(request)
    accepted = False
    try:
        async with ask() as response:
            accepted = True
            yield UsageReported(meter.so_far(None))
            events = EventLines()
            async for chunk in (body := response.iter_bytes()):
                heard = False
                for payload in events.feed(chunk):
                    for part in reader.read(payload):
                        yield part
                        if isinstance(part, ItemDelta):
                            meter.heard(part.text)
                            heard = True
                        elif isinstance(part, ItemCompleted):
                            yield UsageReported(meter.so_far(reader.usage))
                if heard:
                    yield UsageReported(meter.so_far(reader.usage))
                if reader.ended:
                    await _drained(body)
                    break
            if not reader.whole:
                raise cut_short(service)
    except Exception as error:
        failure = failure_of(error, service)
        if failure is None:
            raise
        # Some servers hang up rudely after all was said.
        if not (reader.whole and failure.reason == "connection"):
            if accepted:
                yield UsageReported(meter.so_far(reader.usage))
            raise failure from error
    yield StepFinished(
        usage=reader.usage or meter.so_far(None),
        stop_reason=reader.stop_reason,
        response_id=reader.response_id and well_formed(reader.response_id)[:MAX_ID],
    )


async def _drained(body: AsyncIterator[bytes]) -> None:
    """Read the few bytes after the end, so that the connection can be used again."""
    try:
        async with asyncio.timeout(_LAST_BYTES):
            async for _ in body:
                pass
    except (TimeoutError, httpx2.RequestError):
        pass
