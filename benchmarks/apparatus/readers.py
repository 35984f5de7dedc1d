"""Subscribers by the thousand in one process: sockets and epoll, nothing is parsed.

Run as a program. It counts bytes and frames, and takes how late each stamped chunk is.
"""

from __future__ import annotations

import gc
import json
import select
import socket
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from benchmarks.apparatus import stamps
from benchmarks.apparatus.figures import percentile
from benchmarks.apparatus.programs import Program, program

AT_ONCE = 64  # as many as surely fit into the queue of a listening socket
PATIENCE = 60.0
_RECEIVE = 1 << 18
_SLICE = stamps.units(0.5)
_LAST_CHUNK = b"0\r\n\r\n"


class _Reader:
    """One connection."""

    __slots__ = ("bytes", "ended", "frames", "opened", "socket")

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.opened = self.ended = False
        self.bytes = self.frames = 0


class _Readers:
    """All of them, and what they have seen since `reset`."""

    def __init__(self) -> None:
        self._poll = select.epoll()
        self._poll.register(0, select.EPOLLIN)
        self._readers: dict[int, _Reader] = {}
        self._late: list[int] = []
        self._sent: list[int] = []
        self._since = 0
        self._unopened = 0
        self._ended = 0

    def run(self) -> None:
        """Read, and do as is told on standard input, until that ends."""
        print(json.dumps("ready"), flush=True)
        while True:
            if self._turn(-1):
                line = sys.stdin.buffer.readline()
                if not line:
                    return
                request = json.loads(line)
                answer = getattr(self, request.pop("do"))(**request)
                print(json.dumps(answer), flush=True)

    def open(self, url: str, paths: list[str], headers: dict[str, str]) -> int:
        """Open a stream for each path; they have begun when this is answered."""
        address = urlsplit(url)
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        for path in paths:
            self._wait_until(AT_ONCE - 1)
            connection = socket.create_connection((address.hostname, address.port))
            head = f"GET {path} HTTP/1.1\r\nHost: {address.netloc}\r\n{lines}\r\n"
            connection.sendall(head.encode())
            connection.setblocking(False)
            self._readers[connection.fileno()] = _Reader(connection)
            self._unopened += 1
            self._poll.register(connection.fileno(), select.EPOLLIN)
        self._wait_until(0)
        return len(self._readers)

    def reset(self) -> None:
        """Count from now on: chunks that were sent before do not count."""
        for reader in self._readers.values():
            reader.bytes = reader.frames = 0
        self._late, self._sent = [], []
        self._since = stamps.now()
        gc.collect()
        gc.freeze()

    def report(self) -> dict[str, Any]:
        """What was seen. Times in seconds; `p99` is that of the middle one of slices of time.

        So a stall of the whole machine, which spoils a slice, is not taken for the rule.
        """
        late = [stamps.seconds(units) for units in self._late]
        slices: defaultdict[int, list[float]] = defaultdict(list)
        for sent, one in zip(self._sent, late, strict=True):
            slices[(sent - self._since) // _SLICE].append(one)
        p99 = [percentile(of, 0.99) for of in slices.values()]
        frames = [reader.frames for reader in self._readers.values()]
        return {
            "bytes": sum(reader.bytes for reader in self._readers.values()),
            "frames": sum(frames),
            "fewest": min(frames, default=0),
            "most": max(frames, default=0),
            "stamps": len(late),
            "p50": percentile(late, 0.5) if late else None,
            "p99": percentile(p99, 0.5) if late else None,
            "p99_of_all": percentile(late, 0.99) if late else None,
            "worst": max(late, default=0.0),
            "ended": self._ended,
        }

    def until_ended(self, patience: float) -> dict[str, Any]:
        """Read until all streams have ended; what was seen, with the `seconds` that took."""
        began = time.perf_counter()
        while self._ended < len(self._readers) and time.perf_counter() - began < patience:
            self._turn(0.2)
        return {**self.report(), "seconds": time.perf_counter() - began}

    def close(self) -> None:
        """Hang up on all."""
        for reader in self._readers.values():
            reader.socket.close()
        self._readers.clear()
        self._unopened = self._ended = 0

    def _wait_until(self, unopened: int) -> None:
        deadline = time.monotonic() + PATIENCE
        while self._unopened > unopened:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self._unopened} streams did not begin")
            self._turn(1.0)

    def _turn(self, timeout: float) -> bool:
        """Read what has come; whether something was said on standard input."""
        told = False
        for descriptor, _ in self._poll.poll(timeout):
            if descriptor:
                self._read(self._readers[descriptor])
            else:
                told = True
        return told

    def _read(self, reader: _Reader) -> None:
        try:
            data = reader.socket.recv(_RECEIVE)
        except BlockingIOError:
            return
        except ConnectionError:
            data = b""
        if not data or data == _LAST_CHUNK or data.endswith(b"\r\n" + _LAST_CHUNK):
            reader.ended = True
            self._ended += 1
            self._poll.unregister(reader.socket.fileno())
        if not reader.opened:
            reader.opened = True
            self._unopened -= 1
            if not data.startswith(b"HTTP/1.1 200"):
                print(data[:500], file=sys.stderr)
        reader.bytes += len(data)
        reader.frames += data.count(b"\ndata: ")
        if found := stamps.PATTERN.findall(data):
            now, since = stamps.now(), self._since
            sent = [at for word in found if (at := int(word)) >= since]
            self._sent += sent
            self._late += [now - at for at in sent]


class Readers:
    """The program, from outside."""

    def __init__(self, running: Program) -> None:
        self._program = running

    async def open(self, url: str, paths: list[str], **headers: str) -> None:
        """Open a stream for each path; they have begun when this returns."""
        sse = {"Accept": "text/event-stream", **headers}
        await self._program.ask(do="open", url=url, paths=paths, headers=sse)

    async def reset(self) -> None:
        """Count from now on."""
        await self._program.ask(do="reset")

    async def report(self) -> dict[str, Any]:
        """What was seen since: `bytes`, `frames`, `p50`, `p99` …"""
        seen: dict[str, Any] = await self._program.ask(do="report")
        return seen

    async def until_ended(self, patience: float = PATIENCE) -> dict[str, Any]:
        """Wait for the ends of all streams; what was seen, and in how many `seconds`."""
        seen: dict[str, Any] = await self._program.ask(do="until_ended", patience=patience)
        return seen

    async def close(self) -> None:
        """Hang up on all."""
        await self._program.ask(do="close")

    def processor_seconds(self) -> float:
        """What the subscribers themselves have cost so far."""
        return self._program.processor_seconds()


@asynccontextmanager
async def readers() -> AsyncIterator[Readers]:
    """A process full of subscribers."""
    async with program("benchmarks.apparatus.readers") as running:
        yield Readers(running)


if __name__ == "__main__":
    _Readers().run()
