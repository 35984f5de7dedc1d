"""A neutral request as the body that OpenAI's Responses API takes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, assert_never

from turnlog.adapters.openai_responses.items import Item, whole_message
from turnlog.adapters.wire.efforts import effort_of, thinks
from turnlog.adapters.wire.pictures import url_of
from turnlog.adapters.wire.schemas import schema_of
from turnlog.domain.model import (
    AgentCalled,
    AgentSaid,
    AgentThought,
    ModelRequest,
    Picture,
    PromptItem,
    Text,
    ToolAnswered,
    UserSaid,
)
from turnlog.domain.values import ProviderData

_LEAST_OUTPUT = 16
_NEVER_THINKS = re.compile(r"(gpt-[34]|chatgpt-)")


def body_of(request: ModelRequest) -> dict[str, Any]:
    """The members of the request. OpenAI keeps nothing of it: what it gave comes back to it."""
    model = request.model.model
    body: dict[str, Any] = {
        "model": model,
        "input": [item for each in request.items for item in _input(each)],
        "store": False,
        "stream": True,
    }
    if not _NEVER_THINKS.match(model):
        body["include"] = ["reasoning.encrypted_content"]
    if request.instructions:
        body["instructions"] = request.instructions
    if request.tools:
        body["tools"] = [
            {
                "type": "function",
                "name": tool.name,
                "description": tool.description,
                "parameters": schema_of(tool),
                "strict": False,
            }
            for tool in request.tools
        ]
    if request.max_output_tokens is not None:
        body["max_output_tokens"] = max(request.max_output_tokens, _LEAST_OUTPUT)
    effort = effort_of(request.reasoning)
    if effort == "none":
        body["reasoning"] = {"effort": effort}
    elif effort is not None or thinks(model):
        body["reasoning"] = {"summary": "auto"} | ({"effort": effort} if effort else {})
    if request.temperature is not None and body.get("reasoning", {}).get("summary") is None:
        body["temperature"] = request.temperature
    return body


def _input(item: PromptItem) -> Iterator[Item]:
    match item:
        case UserSaid():
            parts = [_content(part) for part in item.content]
            yield {"type": "message", "role": "user", "content": parts}
        case AgentThought():
            yield item.provider_data.content
        case AgentSaid():
            if item.provider_data is None:
                yield {"type": "message", "role": "assistant", "content": item.text}
            else:
                yield whole_message(item.provider_data.content, item.text)
        case AgentCalled():
            yield {
                **_given(item.provider_data),
                "type": "function_call",
                "call_id": _call_id(item),
                "name": item.name,
                "arguments": item.arguments,
            }
        case ToolAnswered():
            yield {
                "type": "function_call_output",
                "call_id": _call_id(item),
                "output": item.output,
            }
        case _:
            assert_never(item)


def _content(part: Text | Picture) -> Item:
    if isinstance(part, Text):
        return {"type": "input_text", "text": part.text}
    return {"type": "input_image", "image_url": url_of(part), "detail": "auto"}


def _call_id(item: AgentCalled | ToolAnswered) -> str:
    return str(_given(item.provider_data).get("call_id", item.call_id))


def _given(data: ProviderData | None) -> Item:
    return {} if data is None else data.content
