"""Claude, by Anthropic's Messages API and the official SDK."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from anthropic import AnthropicError, AsyncAnthropic, DefaultAioHttpClient

from turnlog.adapters.anthropic.request import body_of
from turnlog.adapters.anthropic.stream import MessagesReader
from turnlog.adapters.wire.answering import LIMITS, TIMEOUT, answer, trusted
from turnlog.adapters.wire.failures import Service
from turnlog.domain.model import ModelPart, ModelRequest


class AnthropicMessages:
    """Asks Claude. Retries nothing: that is the runtime's, which records each one."""

    def __init__(self, api_key: str, base_url: str | None = None) -> None:
        self._service = Service(provider="anthropic", sdk_error=AnthropicError, secret=api_key)
        self._client = AsyncAnthropic(
            api_key=api_key,
            base_url=base_url,
            timeout=TIMEOUT,
            max_retries=0,
            http_client=DefaultAioHttpClient(limits=LIMITS, verify=trusted()),
        )

    def stream(self, request: ModelRequest) -> AsyncGenerator[ModelPart, None]:
        """The parts of one answer; raises `ModelFailed`."""
        create = self._client.messages.with_streaming_response.create
        reader = MessagesReader(self._service)
        return answer(request, lambda: create(**body_of(request)), reader, self._service)

    async def close(self) -> None:
        """Close the connections that are kept open."""
        await self._client.close()
