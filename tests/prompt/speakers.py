"""The three wires without a network: our bodies to the upstream's rules, its frames to us."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from msgspec import Struct

from tests.upstream import anthropic_messages, openai_chat, openai_responses
from tests.upstream.script import Reply
from tests.upstream.service import Service, Wire
from turnlog.adapters.anthropic.request import body_of as anthropic_body
from turnlog.adapters.anthropic.stream import MessagesReader
from turnlog.adapters.openai_chat.request import body_of as chat_body
from turnlog.adapters.openai_chat.stream import ChatReader
from turnlog.adapters.openai_responses.request import body_of as responses_body
from turnlog.adapters.openai_responses.stream import ResponsesReader
from turnlog.adapters.wire import failures
from turnlog.adapters.wire.answering import Reader
from turnlog.adapters.wire.event_lines import EventLines
from turnlog.domain.model import ModelPart, ModelRequest, StepFinished
from turnlog.domain.values import Model, Usage

_ASKED = failures.Service(provider="upstream", sdk_error=Exception, secret="")
_HEADERS = {"anthropic-version": "2026-10-21"}


class Speaker(Struct, frozen=True):
    """A provider's API, as our adapter and the upstream know it."""

    provider: str
    api: str
    wire: Wire
    body: Callable[[ModelRequest], dict[str, Any]]
    reader: Callable[[failures.Service], Reader]

    def model(self, name: str) -> Model:
        return Model(model_provider_id=self.provider, model_provider_api=self.api, model=name)

    def sent(self, request: ModelRequest) -> dict[str, Any]:
        """The body as it goes over the wire."""
        body = self.body(request)
        extra: dict[str, Any] = body.pop("extra_body", {})
        return body | extra

    def check(self, request: ModelRequest, service: Service) -> None:
        """Raise `Illegal` if the provider would refuse the request."""
        self.wire.check(self.sent(request), _HEADERS, service)

    def parts(
        self,
        request: ModelRequest,
        reply: Reply,
        service: Service,
        *,
        number: int,
        cuts: Sequence[int] = (),
        frames: int | None = None,
    ) -> Iterator[ModelPart]:
        """The parts of a reply of which so many frames arrive (None: all), in chunks."""
        parsed = self.wire.read(self.sent(request), number)
        sent = self.wire.frames(reply, parsed, service)
        reader, events = self.reader(_ASKED), EventLines()
        for chunk in chunks(b"".join(frame.data for frame in sent[:frames]), cuts):
            for payload in events.feed(chunk):
                yield from reader.read(payload)
        if reader.whole:
            yield StepFinished(usage=reader.usage or Usage(), stop_reason=reader.stop_reason)


SPEAKERS = (
    Speaker("anthropic", "messages", anthropic_messages, anthropic_body, MessagesReader),
    Speaker("openai", "responses", openai_responses, responses_body, ResponsesReader),
    Speaker("openai", "chat", openai_chat, lambda r: chat_body(r, "openai"), ChatReader),
    Speaker("openrouter", "chat", openai_chat, lambda r: chat_body(r, "openrouter"), ChatReader),
    Speaker("local", "chat", openai_chat, lambda r: chat_body(r, "local"), ChatReader),
)


def chunks(body: bytes, cuts: Sequence[int]) -> Iterator[bytes]:
    """The body in chunks of these sizes, over and over; whole without."""
    start = place = 0
    while start < len(body):
        size = max(1, cuts[place % len(cuts)]) if cuts else len(body)
        yield body[start : start + size]
        start, place = start + size, place + 1
