"""Chat completions, of OpenAI, of OpenRouter, and of any local server that speaks like them."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from openai import AsyncOpenAI, DefaultAioHttpClient, OpenAIError

from turnlog.adapters.openai_chat.request import ProviderId, body_of
from turnlog.adapters.openai_chat.stream import ChatReader
from turnlog.adapters.wire.answering import LIMITS, TIMEOUT, answer, trusted
from turnlog.adapters.wire.failures import Service
from turnlog.domain.model import ModelPart, ModelRequest

_BASE_URLS: dict[ProviderId, str | None] = {
    "openai": None,
    "openrouter": "https://openrouter.ai/api/v1",
    "local": "http://127.0.0.1:11434/v1",
}


class OpenAIChat:
    """Asks for chat completions. Retries nothing: that is the runtime's, which records each one."""

    def __init__(
        self, provider_id: ProviderId, api_key: str | None, base_url: str | None = None
    ) -> None:
        """Without `base_url`: the provider's own, or Ollama's on this machine."""
        self._provider_id = provider_id
        self._service = Service(provider=provider_id, sdk_error=OpenAIError, secret=api_key or "")
        self._client = AsyncOpenAI(
            api_key=api_key or "none",
            base_url=base_url or _BASE_URLS[provider_id],
            timeout=TIMEOUT,
            max_retries=0,
            http_client=DefaultAioHttpClient(limits=LIMITS, verify=trusted()),
        )
        if provider_id != "openai":
            self._client.organization = self._client.project = None

    def stream(self, request: ModelRequest) -> AsyncGenerator[ModelPart, None]:
        """The parts of one answer; raises `ModelFailed`."""
        create = self._client.chat.completions.with_streaming_response.create
        reader = ChatReader(self._service)
        return answer(
            request, lambda: create(**body_of(request, self._provider_id)), reader, self._service
        )

    async def close(self) -> None:
        """Close the connections that are kept open."""
        await self._client.close()
