"""The upstream: an HTTP server on the loopback that records, checks and answers."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Self

import msgspec
from aiohttp import web

from tests.upstream import anthropic_messages, openai_chat, openai_responses
from tests.upstream.answers import error_answer, list_models, stream_headers
from tests.upstream.faults import Fail, Fault, NeverAnswer
from tests.upstream.playing import Gate, Hold, Player
from tests.upstream.script import ParsedRequest, Part, Reply, Script, default_script
from tests.upstream.service import Illegal, Service, Wire

_WIRES: dict[str, Wire] = {
    "/v1/messages": anthropic_messages,
    "/v1/responses": openai_responses,
    "/v1/chat/completions": openai_chat,
}
_SECRET_HEADERS = {"authorization", "x-api-key"}


class Recorded(msgspec.Struct, frozen=True):
    """A request as it came, but for the key."""

    path: str
    headers: dict[str, str]
    body: Any


class Upstream:
    """A model provider for tests: `async with Upstream() as upstream`.

    `script` chooses the replies, unless `replies()` queued some. `gate` is awaited
    before each delta with its number; `delay` is the pause before each, in seconds;
    `service.chunk_size` says how many characters a delta has. What the real services
    would refuse is refused, and stands in `violations`, as does a script that raised.
    """

    def __init__(self, script: Script = default_script) -> None:
        self.script = script
        self.service = Service()
        self.delay = 0.0
        self.gate: Hold | None = None
        self.models = ["model-one", "model-two"]
        self.requests: list[Recorded] = []
        self.violations: list[str] = []
        self.hangups: list[Recorded] = []
        self.answering = 0
        self.pings = 0
        self.url = ""
        self._queue: deque[Reply] = deque()
        self._changed = asyncio.Event()
        self._stopping = False
        self._runner: web.AppRunner | None = None

    @property
    def openai_url(self) -> str:
        return f"{self.url}/v1"

    @property
    def connections(self) -> int:
        """Open TCP connections, idle ones too."""
        server = self._runner.server if self._runner else None
        return len(server.connections) if server else 0

    def replies(self, *replies: Reply | list[Part] | Part | Fault) -> None:
        """Queue what is answered next, before the script is asked again."""
        for reply in replies:
            match reply:
                case Reply():
                    self._queue.append(reply)
                case list():
                    self._queue.append(Reply(reply))
                case _ if isinstance(reply, Part):
                    self._queue.append(Reply([reply]))
                case _:
                    self._queue.append(Reply(fault=reply))

    def hold(self, before: int = 0) -> Gate:
        """Hold streams before that delta, until the returned gate is opened."""
        gate = Gate(before)
        self.gate = gate
        return gate

    async def until(self, holds: Callable[[Upstream], bool]) -> None:
        """Wait until the condition holds; asked when a request or ping comes or goes."""
        while not holds(self):
            self._changed.clear()
            await self._changed.wait()

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_get("/v1/models", self._list_models)
        for path in _WIRES:
            app.router.add_post(path, self._answer)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stopping = True
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, http: web.Request) -> web.StreamResponse:
        wire = _WIRES[http.path]
        headers = {name.lower(): value for name, value in http.headers.items()}
        raw = await http.read()
        shown = {k: "***" if k in _SECRET_HEADERS else v for k, v in headers.items()}
        try:
            body = json.loads(raw)
        except ValueError:
            body = None
        recorded = Recorded(http.path, shown, body)
        self.requests.append(recorded)
        number = len(self.requests)
        self.answering += 1
        self._changed.set()
        try:
            return await self._respond(http, wire, headers, body, number)
        except Illegal as illegal:
            self.violations.append(f"{wire.NAME}: {illegal}")
            return error_answer(wire, illegal.fail, body, number)
        except (asyncio.CancelledError, ConnectionError):
            if not self._stopping:
                self.hangups.append(recorded)
            raise
        except Exception as error:
            self.violations.append(f"upstream: {error!r}")
            raise
        finally:
            self.answering -= 1
            self._changed.set()

    async def _respond(
        self, http: web.Request, wire: Wire, headers: Mapping[str, str], body: Any, number: int
    ) -> web.StreamResponse:
        key = headers.get("x-api-key") or headers.get("authorization", "").partition(" ")[2]
        if not key:
            raise Illegal("You didn't provide an API key.", status=401)
        if key == "bad-key":
            return error_answer(wire, Fail(401), body, number)
        request = self._read(wire, headers, body, number)
        reply = self._queue.popleft() if self._queue else self.script(request)
        match reply.fault:
            case Fail() as fail:
                return error_answer(wire, fail, body, number)
            case NeverAnswer():
                await asyncio.Event().wait()
                raise AssertionError
            case fault:
                response = web.StreamResponse(headers=stream_headers(wire, number))
                frames = wire.frames(reply, request, self.service)
                await response.prepare(http)
                player = Player(
                    http, response, wire, request, self.service, self._hold, self._pinged
                )
                await player.play(frames, fault)
                return response

    def _read(
        self, wire: Wire, headers: Mapping[str, str], body: Any, number: int
    ) -> ParsedRequest:
        if not isinstance(body, dict):
            raise Illegal("We could not parse the JSON body of your request.")
        try:
            wire.check(body, headers, self.service)
            request = wire.read(body, number)
        except (AttributeError, KeyError, TypeError) as error:
            raise Illegal(f"A member is missing or of the wrong type: {error!r}") from error
        if body.get("stream") is not True:
            raise Illegal("stream: only streams are served here")
        return request

    async def _hold(self, request: ParsedRequest, delta: int) -> None:
        if self.delay:
            await asyncio.sleep(self.delay)
        if self.gate is not None:
            await self.gate(request, delta)

    def _pinged(self) -> None:
        self.pings += 1
        self._changed.set()

    async def _list_models(self, http: web.Request) -> web.Response:
        return list_models(self.models, anthropic="anthropic-version" in http.headers)
