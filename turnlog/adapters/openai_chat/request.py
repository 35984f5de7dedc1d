"""A neutral request as the body of a chat completion, for OpenAI and for those who are like it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from turnlog.adapters.openai_chat.details import Detail, with_texts
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

Message = dict[str, Any]
ProviderId = Literal["openai", "openrouter", "local"]


def body_of(request: ModelRequest, provider: ProviderId) -> dict[str, Any]:
    """The members of the request."""
    body: dict[str, Any] = {
        "model": request.model.model,
        "messages": list(_messages(request, gives_back=provider != "openai")),
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if request.tools:
        body["tools"] = [
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": schema_of(tool),
                },
            }
            for tool in request.tools
        ]
    if request.max_output_tokens is not None:
        most = "max_completion_tokens" if provider == "openai" else "max_tokens"
        body[most] = request.max_output_tokens
    body |= _reasoning(request, provider)
    unheated = provider == "openai" and ("reasoning_effort" in body or thinks(request.model.model))
    if request.temperature is not None and not unheated:
        body["temperature"] = request.temperature
    return body


def _reasoning(request: ModelRequest, provider: ProviderId) -> dict[str, Any]:
    asked, effort = request.reasoning, effort_of(request.reasoning)
    if asked is None or effort is None:
        return {}
    if provider != "openrouter":
        return {"reasoning_effort": effort}
    budget = {"max_tokens": asked.budget_tokens}
    return {"extra_body": {"reasoning": {"effort": effort} if asked.effort else budget}}


def _messages(request: ModelRequest, *, gives_back: bool) -> Iterator[Message]:
    """The items as messages: what one side says in a row is one message."""
    if request.instructions:
        yield {"role": "system", "content": request.instructions}
    said: list[UserSaid] = []
    spoken: list[PromptItem] = []
    for item in request.items:
        if not isinstance(item, UserSaid) and said:
            yield _user(said)
            said = []
        if isinstance(item, UserSaid | ToolAnswered) and spoken:
            yield from _assistant(spoken, gives_back=gives_back)
            spoken = []
        match item:
            case UserSaid():
                said.append(item)
            case ToolAnswered():
                yield {"role": "tool", "tool_call_id": _call_id(item), "content": item.output}
            case _:
                spoken.append(item)
    if said:
        yield _user(said)
    yield from _assistant(spoken, gives_back=gives_back)


def _user(said: list[UserSaid]) -> Message:
    """Text alone is given as a string, which every server understands."""
    parts = [part for each in said for part in each.content]
    texts = [part.text for part in parts if isinstance(part, Text)]
    if len(texts) == len(parts):
        return {"role": "user", "content": "\n\n".join(texts)}
    return {"role": "user", "content": [_part(part) for part in parts]}


def _part(part: Text | Picture) -> dict[str, Any]:
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    return {"type": "image_url", "image_url": {"url": url_of(part)}}


def _assistant(spoken: list[PromptItem], *, gives_back: bool) -> Iterator[Message]:
    message: Message = {"role": "assistant", "content": None}
    texts = [item.text for item in spoken if isinstance(item, AgentSaid) and item.text.strip()]
    if texts:
        message["content"] = "\n\n".join(texts)
    if calls := [_call(item) for item in spoken if isinstance(item, AgentCalled)]:
        message["tool_calls"] = calls
    if not texts and not calls:
        return
    yield message | (_reasoned(spoken) if gives_back else {})


def _reasoned(spoken: list[PromptItem]) -> Message:
    """Thoughts in the shape in which they came: as details, or as text."""
    details: list[Detail] = []
    thoughts: list[AgentThought] = []
    for item in spoken:
        if isinstance(item, AgentThought):
            thoughts.append(item)
        if isinstance(item, AgentThought | AgentSaid | AgentCalled) and item.provider_data:
            text = item.arguments if isinstance(item, AgentCalled) else item.text
            details += with_texts(item.provider_data.content.get("reasoning_details", []), text)
    if details:
        return {"reasoning_details": details}
    if not thoughts:
        return {}
    member = thoughts[0].provider_data.content.get("member", "reasoning_content")
    return {member: "\n\n".join(thought.text for thought in thoughts)}


def _call(item: AgentCalled) -> dict[str, Any]:
    data = item.provider_data
    extra = None if data is None else data.content.get("extra_content")
    return {
        "id": _call_id(item),
        "type": "function",
        "function": {"name": item.name, "arguments": item.arguments},
        **({"extra_content": extra} if extra else {}),
    }


def _call_id(item: AgentCalled | ToolAnswered) -> str:
    given = None if item.provider_data is None else item.provider_data.content.get("id")
    return str(given or item.call_id)
