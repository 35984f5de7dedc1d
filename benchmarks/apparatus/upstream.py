"""A model provider that costs little: the Responses API's wire format, paced, from one epoll loop.

Run as a program. The user's message says what to play: `play tokens=600 rate=50 stamped=1`.
What does not change of a stream is encoded once, so that a chunk costs its write and little more.
"""

from __future__ import annotations

import gc
import heapq
import json
import re
import select
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import cycle, islice
from typing import Any

from benchmarks.apparatus import stamps
from benchmarks.apparatus.programs import Program, program

_PLAY = re.compile(rb"play tokens=(\d+) rate=(\d+) stamped=([01])")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_PAUSE = 0.02
_WORDS = (" the", " log", " of a", " turn", " grows", " with", " each", " word", " said,", " and")
_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
    b"Transfer-Encoding: chunked\r\nCache-Control: no-cache\r\nx-request-id: req_bench\r\n\r\n"
)
_DELTA = (
    b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta",'
    b'"sequence_number":%d,"item_id":"msg_bench","output_index":0,"content_index":0,'
    b'"delta":"%b","logprobs":[],"obfuscation":"x7Kq"}\n\n'
)


def play(tokens: int, rate: int, *, stamped: bool) -> str:
    """The message to which so many chunks are the answer, `rate` of them a second (0: at once)."""
    return f"play tokens={tokens} rate={rate} stamped={int(stamped)}"


def words(tokens: int) -> list[str]:
    """What is said where no stamps were asked for: five letters a token, as in English."""
    return list(islice(cycle(_WORDS), tokens))


class _Playing:
    """One answer under way."""

    __slots__ = ("begun", "number", "pause", "said", "socket", "stamped", "tokens", "unsent")

    def __init__(self, connection: socket.socket, asked: re.Match[bytes]) -> None:
        self.socket = connection
        self.tokens, rate, self.stamped = (int(word) for word in asked.groups())
        self.pause = 1 / rate if rate else 0.0
        self.number = 0
        self.said: list[str] = []
        self.unsent = b""
        self.begun = time.monotonic()


class _Upstream:
    """All of its connections."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self._listener.setblocking(False)
        self._poll = select.epoll()
        self._poll.register(self._listener.fileno(), select.EPOLLIN)
        self._poll.register(0, select.EPOLLIN)
        self._connections: dict[int, socket.socket] = {}
        self._asked: dict[int, bytes] = {}
        self._due: list[tuple[float, int, _Playing]] = []
        self._order = 0

    def run(self) -> None:
        """Answer until standard input ends."""
        print(json.dumps(self._listener.getsockname()[1]), flush=True)
        gc.freeze()
        while True:
            for descriptor, _ in self._poll.poll(self._patience()):
                if descriptor == self._listener.fileno():
                    self._accept()
                elif descriptor:
                    self._hear(descriptor)
                else:
                    return
            now = time.monotonic()
            while self._due and self._due[0][0] <= now:
                self._go_on(heapq.heappop(self._due)[2])

    def _patience(self) -> float:
        return max(0.0, self._due[0][0] - time.monotonic()) if self._due else -1

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connections[connection.fileno()] = connection
        self._asked[connection.fileno()] = b""
        self._poll.register(connection.fileno(), select.EPOLLIN)

    def _hear(self, descriptor: int) -> None:
        connection = self._connections[descriptor]
        try:
            data = connection.recv(1 << 18)
        except (BlockingIOError, ConnectionError):
            data = b""
        if not data:
            self._poll.unregister(descriptor)
            del self._connections[descriptor], self._asked[descriptor]
            connection.close()
            return
        asked = self._asked[descriptor] = self._asked[descriptor] + data
        head, _, body = asked.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if length is not None and len(body) >= int(length.group(1)):
            self._asked[descriptor] = b""
            self._begin(connection, body)

    def _begin(self, connection: socket.socket, body: bytes) -> None:
        *_, asked = _PLAY.finditer(body)  # the last: those before it are history
        playing = _Playing(connection, asked)
        playing.unsent = _HEAD + _chunked(
            b"".join(
                _event(name, number, members) for number, (name, members) in enumerate(_beginning())
            )
        )
        self._go_on(playing)

    def _go_on(self, playing: _Playing) -> None:
        """Send what is due, and say when more is."""
        if playing.socket.fileno() < 0:
            return
        if playing.number < playing.tokens:
            at_once = 1 if playing.pause else 64
            for _ in range(min(at_once, playing.tokens - playing.number)):
                word = stamps.stamp() if playing.stamped else _WORDS[playing.number % len(_WORDS)]
                playing.said.append(word)
                playing.number += 1
                playing.unsent += _chunked(_DELTA % (playing.number + 3, word.encode()))
        elif playing.number == playing.tokens:
            playing.number += 1
            ending = _ending(playing.tokens, "".join(playing.said))
            playing.unsent += _chunked(
                b"".join(
                    _event(name, playing.tokens + 4 + number, members)
                    for number, (name, members) in enumerate(ending)
                )
            )
            playing.unsent += b"0\r\n\r\n"
        if not self._send(playing):
            return
        if playing.unsent:
            self._later(time.monotonic() + _PAUSE, playing)
        elif playing.number <= playing.tokens:
            self._later(playing.begun + playing.number * playing.pause, playing)

    def _later(self, due: float, playing: _Playing) -> None:
        self._order += 1
        heapq.heappush(self._due, (due, self._order, playing))

    def _send(self, playing: _Playing) -> bool:
        """Whether the connection still stands; what did not fit stays unsent."""
        try:
            sent = playing.socket.send(playing.unsent)
        except BlockingIOError:
            sent = 0
        except OSError:
            return False
        playing.unsent = playing.unsent[sent:]
        return True


def _chunked(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _event(name: str, number: int, members: dict[str, Any]) -> bytes:
    body = {"type": name, "sequence_number": number, **members}
    return f"event: {name}\ndata: {json.dumps(body, separators=(',', ':'))}\n\n".encode()


def _response(status: str, **members: Any) -> dict[str, Any]:
    return {
        "id": "resp_bench", "object": "response", "created_at": 1_760_000_000, "status": status,
        "background": False, "error": None, "incomplete_details": None, "instructions": None,
        "max_output_tokens": None, "model": "bench", "output": [], "parallel_tool_calls": True,
        "previous_response_id": None, "reasoning": {"effort": None, "summary": None},
        "store": False, "temperature": 1.0, "text": {"format": {"type": "text"}},
        "tool_choice": "auto", "tools": [], "top_p": 1.0, "truncation": "disabled",
        "usage": None, "metadata": {}, **members,
    }  # fmt: skip


def _message(status: str, *content: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": "msg_bench",
        "type": "message",
        "status": status,
        "role": "assistant",
        "content": list(content),
    }


def _text(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _beginning() -> list[tuple[str, dict[str, Any]]]:
    part = {"item_id": "msg_bench", "output_index": 0, "content_index": 0, "part": _text("")}
    return [
        ("response.created", {"response": _response("in_progress")}),
        ("response.in_progress", {"response": _response("in_progress")}),
        ("response.output_item.added", {"output_index": 0, "item": _message("in_progress")}),
        ("response.content_part.added", part),
    ]


def _ending(tokens: int, said: str) -> list[tuple[str, dict[str, Any]]]:
    place = {"item_id": "msg_bench", "output_index": 0, "content_index": 0}
    item = _message("completed", _text(said))
    usage = {
        "input_tokens": 20,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": tokens + 20,
    }
    return [
        ("response.output_text.done", {**place, "text": said, "logprobs": []}),
        ("response.content_part.done", {**place, "part": _text(said)}),
        ("response.output_item.done", {"output_index": 0, "item": item}),
        ("response.completed", {"response": _response("completed", output=[item], usage=usage)}),
    ]


class Upstream:
    """The program, from outside; `url` is what an SDK takes for its base."""

    def __init__(self, running: Program) -> None:
        self.url = f"http://127.0.0.1:{running.first}/v1"
        self._program = running

    @property
    def env(self) -> dict[str, str]:
        """What lets a server ask it."""
        return {"OPENAI_API_KEY": "key", "OPENAI_BASE_URL": self.url}

    def processor_seconds(self) -> float:
        """What it has cost so far."""
        return self._program.processor_seconds()


@asynccontextmanager
async def upstream() -> AsyncIterator[Upstream]:
    """A provider in a process of its own."""
    async with program("benchmarks.apparatus.upstream") as running:
        yield Upstream(running)


if __name__ == "__main__":
    _Upstream().run()
