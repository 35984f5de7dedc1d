"""A neutral request as the body that Anthropic's Messages API takes."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from typing import Any, Literal, assert_never

import msgspec

from turnlog.adapters.anthropic.thinking import room_for_output, thinking_of
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

Block = dict[str, Any]
_Role = Literal["user", "assistant"]


def body_of(request: ModelRequest) -> dict[str, Any]:
    """The members of the request. Temperature is none of them: API version 2026-10-21 has none."""
    body: dict[str, Any] = {
        "model": request.model.model,
        "max_tokens": request.max_output_tokens or room_for_output(request.model.model),
        "messages": list(_messages(request.items)),
        "cache_control": {"type": "ephemeral"},
        "stream": True,
    }
    if request.instructions:
        body["system"] = request.instructions
    if request.tools:
        body["tools"] = [
            {"name": tool.name, "description": tool.description, "input_schema": schema_of(tool)}
            for tool in request.tools
        ]
    body |= thinking_of(request.model.model, request.reasoning)
    budget = body.get("thinking", {}).get("budget_tokens")
    if budget is not None and _unthinking(request.items):
        del body["thinking"]
    elif budget is not None and body["max_tokens"] <= budget:
        body["max_tokens"] += budget
    return body


def _messages(items: tuple[PromptItem, ...]) -> Iterator[dict[str, Any]]:
    """The items as messages whose roles take turns."""
    role: _Role = "user"
    blocks: list[Block] = []
    for item in items:
        speaker: _Role = "user" if isinstance(item, UserSaid | ToolAnswered) else "assistant"
        if speaker != role and blocks:
            yield {"role": role, "content": blocks}
            blocks = []
        role = speaker
        blocks += _blocks(item)
    if blocks:
        yield {"role": role, "content": blocks}


def _blocks(item: PromptItem) -> Iterator[Block]:
    match item:
        case UserSaid():
            yield from (_content(part) for part in item.content)
        case AgentThought():
            given = item.provider_data.content
            shown = {"thinking": item.text} if given.get("type") == "thinking" else {}
            yield {**given, **shown}
        case AgentSaid():
            if item.text.strip():
                yield {"type": "text", "text": item.text}
        case AgentCalled():
            yield {
                **_given(item.provider_data),
                "type": "tool_use",
                "id": _call_id(item),
                "name": item.name,
                "input": msgspec.json.decode(item.arguments),
            }
        case ToolAnswered():
            failed = {"is_error": True} if item.failed else {}
            yield {
                "type": "tool_result",
                "tool_use_id": _call_id(item),
                "content": item.output,
                **failed,
            }
        case _:
            assert_never(item)


def _content(part: Text | Picture) -> Block:
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    if part.data is None:
        return {"type": "image", "source": {"type": "url", "url": part.url}}
    data = b64encode(part.data).decode()
    source = {"type": "base64", "media_type": part.media_type, "data": data}
    return {"type": "image", "source": source}


def _call_id(item: AgentCalled | ToolAnswered) -> str:
    return str(_given(item.provider_data).get("id", item.call_id))


def _given(data: ProviderData | None) -> dict[str, Any]:
    return {} if data is None else data.content


def _unthinking(items: tuple[PromptItem, ...]) -> bool:
    """Whether calls under way began without a thought; with them, budgets are refused.

    Calls are under way until a user's message that follows no results of theirs.
    """
    unthinking = thought = opened = answered = False
    between = True
    for item in items:
        if isinstance(item, UserSaid):
            unthinking, thought = unthinking and answered, False
        elif isinstance(item, ToolAnswered):
            answered = True
        else:
            opened = isinstance(item, AgentThought) if between else opened
            thought, answered = thought or opened, False
            if isinstance(item, AgentCalled) and not opened:
                unthinking |= not thought or item.provider_data is None
        between = isinstance(item, UserSaid | ToolAnswered)
    return unthinking
