"""OpenAI's models, by the Responses API and the official SDK."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from openai import AsyncOpenAI, DefaultAioHttpClient, OpenAIError

from turnlog.adapters.openai_responses.forgetting import ever_less, is_undecipherable
from turnlog.adapters.openai_responses.request import body_of
from turnlog.adapters.openai_responses.stream import ResponsesReader
from turnlog.adapters.wire.answering import LIMITS, TIMEOUT, answer, trusted
from turnlog.adapters.wire.failures import Service
from turnlog.domain.errors import ModelFailed
from turnlog.domain.model import ModelPart, ModelRequest


class OpenAIResponses:
    """Asks OpenAI. Retries nothing: that is the runtime's, which records each one."""

    def __init__(self, api_key: str, base_url: str | None = None) -> None:
        self._service = Service(provider="openai", sdk_error=OpenAIError, secret=api_key)
        self._client = AsyncOpenAI(
            api_key=api_key,
            base_url=base_url,
            timeout=TIMEOUT,
            max_retries=0,
            http_client=DefaultAioHttpClient(limits=LIMITS, verify=trusted()),
        )

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelPart, None]:
        """The parts of one answer; raises `ModelFailed`.

        Reasoning that OpenAI says it cannot decrypt is left out, and the rest asked at once.
        """
        refusal: ModelFailed | None = None
        for asked in ever_less(request):
            try:
                async with aclosing(self._answer(asked)) as parts:
                    async for part in parts:
                        yield part
                return
            except ModelFailed as failure:
                if not is_undecipherable(failure):
                    raise
                refusal = failure
        if refusal is not None:
            raise refusal

    def _answer(self, request: ModelRequest) -> AsyncGenerator[ModelPart, None]:
        create = self._client.responses.with_streaming_response.create
        reader = ResponsesReader(self._service)
        return answer(request, lambda: create(**body_of(request)), reader, self._service)

    async def close(self) -> None:
        """Close the connections that are kept open."""
        await self._client.close()
