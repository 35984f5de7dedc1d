"""Playing a reply into a response: its pace, its gate, and the faults that break it."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Awaitable, Callable
from socket import SO_LINGER, SOL_SOCKET

import msgspec
from aiohttp import web

from tests.upstream.faults import Cut, ErrorEvent, Failed, Interruption, PingsOnly, Silence
from tests.upstream.script import ParsedRequest
from tests.upstream.service import Frame, Service, Wire

Hold = Callable[[ParsedRequest, int], Awaitable[None]]


class Gate:
    """Holds streams right before delta `before` (0: the first), until it is opened.

    A reply with fewer deltas is held before its closing events.
    """

    def __init__(self, before: int = 0) -> None:
        self.before = before
        self.reached = asyncio.Event()
        self._opened = asyncio.Event()

    async def __call__(self, request: ParsedRequest, delta: int) -> None:
        if delta == self.before:
            self.reached.set()
            await self._opened.wait()

    def open(self) -> None:
        self._opened.set()


class Player(msgspec.Struct):
    """One response while it is played."""

    http: web.Request
    response: web.StreamResponse
    wire: Wire
    request: ParsedRequest
    service: Service
    hold: Hold
    pinged: Callable[[], None]

    async def play(self, frames: list[Frame], fault: Interruption | None) -> None:
        """Write the frames; from the fault's place on, what the fault says instead."""
        deltas = [sent for sent, frame in enumerate(frames) if frame.delta]
        closing = deltas[-1] + 1 if deltas else len(frames) - 1
        place = 0
        for sent, frame in enumerate(frames):
            if frame.delta or sent == closing:
                await self.hold(self.request, place)
                if fault is not None and place >= min(fault.after, len(deltas)):
                    await self._interrupt(fault, sent)
                    return
            await self.response.write(frame.data)
            place += frame.delta

    async def _interrupt(self, fault: Interruption, sent: int) -> None:
        match fault:
            case ErrorEvent() | Failed():
                event = self.wire.broken(fault, self.request, self.service, sent)
                await self.response.write(event)
            case Silence():
                await asyncio.Event().wait()
            case PingsOnly(every=every):
                while True:
                    await self.response.write(self.wire.PING)
                    self.pinged()
                    await asyncio.sleep(every)
            case Cut(how=how):
                self._cut(how)

    def _cut(self, how: str) -> None:
        transport = self.http.transport
        if transport is None or how == "end":
            return
        if how == "close":
            transport.close()
        else:
            socket = transport.get_extra_info("socket")
            socket.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()
