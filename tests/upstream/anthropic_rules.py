"""What Anthropic's Messages API accepts: the members of a request and of its blocks."""

from __future__ import annotations

import re
from collections.abc import Mapping

from anthropic.types.message_create_params import MessageCreateParamsStreaming

from tests.upstream.anthropic_history import check_history
from tests.upstream.script import Json
from tests.upstream.seals import unseal
from tests.upstream.service import Illegal, Service, as_list

_MEMBERS = (
    MessageCreateParamsStreaming.__required_keys__ | MessageCreateParamsStreaming.__optional_keys__
) - {"workspace_id", "user_profile_id"}
_SAMPLING = {"temperature", "top_p", "top_k"}  # gone since version 2026-10-21
_VERSIONS = {"2023-06-01": _MEMBERS | _SAMPLING, "2026-10-21": _MEMBERS}
_BLOCKS = {
    "text": {"text", "citations", "cache_control"},
    "image": {"source", "cache_control", "transformations"},
    "thinking": {"thinking", "signature"},
    "redacted_thinking": {"data"},
    "tool_use": {"id", "name", "input", "cache_control", "caller", "toolset_name"},
    "tool_result": {"tool_use_id", "content", "is_error", "cache_control", "toolset_name"},
}
_MEDIA = ("image/jpeg", "image/png", "image/gif", "image/webp")
_NAME = r"^[a-zA-Z0-9_-]{1,128}$"
_ID = r"^[a-zA-Z0-9_-]+$"


def check(body: Json, headers: Mapping[str, str], service: Service) -> None:
    """Raise `Illegal` for what the real service would refuse."""
    if (version := headers.get("anthropic-version")) not in _VERSIONS:
        worded = "header is required" if version is None else f'"{version}" is not a valid version'
        raise Illegal(f"anthropic-version: {worded}")
    for required in ("model", "max_tokens", "messages"):
        if body.get(required) is None:
            raise Illegal(f"{required}: Field required")
    for member in body.keys() - _VERSIONS[version]:
        raise Illegal(f"{member}: Extra inputs are not permitted")
    if body["max_tokens"] < 1:
        raise Illegal("max_tokens: Input should be greater than or equal to 1")
    _check_thinking(body)
    names = [str(tool.get("name")) for tool in as_list(body.get("tools"))]
    for index, name in enumerate(names):
        if not re.fullmatch(_NAME, name):
            raise Illegal(f"tools.{index}.custom.name: String should match pattern '{_NAME}'")
        if name in names[:index]:
            raise Illegal("tools: Tool names must be unique.")
    for index, message in enumerate(body["messages"]):
        _check_message(f"messages.{index}", message, last=message is body["messages"][-1])
    check_history(body, service)


def _check_thinking(body: Json) -> None:
    thinking = body.get("thinking") or {"type": "disabled"}
    budget = thinking.get("budget_tokens")
    if thinking.get("type") == "enabled":
        if not isinstance(budget, int):
            raise Illegal("thinking.enabled.budget_tokens: Field required")
        if budget < 1024:
            raise Illegal(
                "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024"
            )
        if budget >= body["max_tokens"]:
            raise Illegal("`max_tokens` must be greater than `thinking.budget_tokens`.")
    elif budget is not None:
        kind = thinking.get("type")
        raise Illegal(f"thinking.{kind}.budget_tokens: Extra inputs are not permitted")
    if thinking.get("type") in ("enabled", "adaptive"):
        if body.get("temperature", 1) != 1:
            raise Illegal("`temperature` may only be set to 1 when thinking is enabled.")
        if (body.get("tool_choice") or {}).get("type") in ("any", "tool"):
            raise Illegal("Thinking may not be enabled when tool_choice forces tool use.")


def _check_message(at: str, message: Json, *, last: bool) -> None:
    if message.get("role") not in ("user", "assistant"):
        raise Illegal(f"{at}.role: Input should be 'user' or 'assistant'")
    for member in message.keys() - {"role", "content"}:
        raise Illegal(f"{at}.{member}: Extra inputs are not permitted")
    final = last and message["role"] == "assistant"
    if not message.get("content") and not final:
        raise Illegal(
            f"{at}: all messages must have non-empty content except for the optional final "
            "assistant message"
        )
    blocks = blocks_of(message)
    for index, block in enumerate(blocks):
        _check_block(f"{at}.content.{index}", block)
    if final and blocks and re.search(r"\s\Z", blocks[-1].get("text", "")):
        raise Illegal("messages: final assistant content cannot end with trailing whitespace")


def _check_block(at: str, block: Json) -> None:
    kind = block.get("type")
    if kind not in _BLOCKS:
        raise Illegal(f"{at}: Input tag '{kind}' found using 'type' does not match")
    for member in block.keys() - _BLOCKS[kind] - {"type"}:
        raise Illegal(f"{at}.{kind}.{member}: Extra inputs are not permitted")
    match kind:
        case "text" if not block.get("text"):
            raise Illegal("messages: text content blocks must be non-empty")
        case "text" if not block["text"].strip():
            raise Illegal("messages: text content blocks must contain non-whitespace text")
        case "image":
            _check_image(at, block.get("source") or {})
        case "thinking":
            for member in ("thinking", "signature"):
                if not isinstance(block.get(member), str):
                    raise Illegal(f"{at}.thinking.{member}: Field required")
            if unseal("thinking", block["signature"]) != block["thinking"]:
                raise Illegal(f"{at}: Invalid `signature` in `thinking` block")
        case "redacted_thinking" if unseal("redacted", block.get("data")) is None:
            raise Illegal(f"{at}: Invalid `data` in `redacted_thinking` block")
        case "tool_use":
            if not isinstance(block.get("input"), dict):
                raise Illegal(f"{at}.tool_use.input: Input should be a valid dictionary")
            for member, pattern in (("id", _ID), ("name", _NAME)):
                if not re.fullmatch(pattern, str(block.get(member))):
                    raise Illegal(f"{at}.tool_use.{member}: String should match '{pattern}'")
        case "tool_result":
            if block.get("is_error") and not block.get("content"):
                raise Illegal(f"{at}.tool_result: content cannot be empty if `is_error` is true")
            for index, inner in enumerate(blocks_of(block)):
                _check_block(f"{at}.tool_result.content.{index}", inner)
        case _:
            pass


def _check_image(at: str, source: Json) -> None:
    if source.get("type") == "base64" and source.get("media_type") not in _MEDIA:
        expected = ", ".join(f"'{media}'" for media in _MEDIA[:-1]) + f" or '{_MEDIA[-1]}'"
        raise Illegal(f"{at}.image.source.base64.media_type: Input should be {expected}")


def blocks_of(holder: Json) -> list[Json]:
    """The content of a message or tool result as blocks; text alone is one block."""
    content = holder.get("content")
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return as_list(content)
