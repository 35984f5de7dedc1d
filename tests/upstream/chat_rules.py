"""What OpenAI's Chat Completions accept, and OpenRouter of the reasoning given back."""

from __future__ import annotations

import json
from collections.abc import Mapping

from tests.upstream.script import Json
from tests.upstream.seals import unseal
from tests.upstream.service import Illegal, Service, as_list

_ROLES = ("system", "assistant", "user", "function", "tool", "developer")


def check(body: Json, headers: Mapping[str, str], service: Service) -> None:
    """Raise `Illegal` for what the real service would refuse."""
    for required in ("model", "messages"):
        if not body.get(required):
            raise Illegal(f"Missing required parameter: '{required}'.", param=required)
    if body.get("max_tokens") is not None and body.get("max_completion_tokens") is not None:
        raise Illegal(
            "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.",
            code="invalid_parameter_combination",
        )
    open_calls: list[str] = []
    answered: list[str] = []
    for index, message in enumerate([*body["messages"], {"role": "end"}]):
        at = f"messages[{index}]"
        if message["role"] == "tool":
            call_id = message.get("tool_call_id")
            if call_id in answered:
                raise Illegal(f"Duplicate value for 'tool_call_id' of '{call_id}' in {at}.")
            if call_id not in open_calls:
                raise Illegal(
                    "Invalid parameter: messages with role 'tool' must be a response to a "
                    "preceeding message with 'tool_calls'.",
                    param=f"messages.[{index}].role",
                )
            open_calls.remove(call_id)
            answered.append(call_id)
        elif open_calls:
            raise Illegal(
                "An assistant message with 'tool_calls' must be followed by tool messages "
                "responding to each 'tool_call_id'. The following tool_call_ids did not have "
                f"response messages: {', '.join(open_calls)}",
                param=f"messages.[{index}].role",
            )
        else:
            answered = []
        if message["role"] != "end":
            open_calls += _check_message(at, message, service)


def _check_message(at: str, message: Json, service: Service) -> list[str]:
    """Check one message; the ids of the calls that it makes."""
    if message["role"] not in _ROLES:
        raise Illegal(f"Invalid value: '{message['role']}'.", code="invalid_value", param=at)
    calls = message.get("tool_calls")
    if calls is not None and not calls:
        raise Illegal(
            f"Invalid '{at}.tool_calls': empty array. Expected an array with minimum length 1, "
            "but got an empty array with length 0 instead.",
            code="empty_array",
            param=f"{at}.tool_calls",
        )
    if message.get("content") is None and not (message["role"] == "assistant" and calls):
        raise Illegal(
            "Invalid value for 'content': expected a string, got null.", param=f"{at}.content"
        )
    if "reasoning_details" in message:
        _check_details(at, message, service)
    return [
        _check_call(f"{at}.tool_calls[{place}]", call) for place, call in enumerate(calls or [])
    ]


def _check_call(at: str, call: Json) -> str:
    if call.get("type") != "function" or not call.get("id"):
        raise Illegal(f"Missing required parameter: '{at}.id' or '{at}.type'.")
    arguments = call["function"].get("arguments")
    at = f"{at}.function.arguments"
    if not isinstance(arguments, str):
        raise Illegal(f"Invalid type for '{at}': expected a string.", code="invalid_type", param=at)
    try:
        parsed = json.loads(arguments)
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        raise Illegal(f"Invalid '{at}': expected the JSON text of an object.", param=at)
    return str(call["id"])


def _check_details(at: str, message: Json, service: Service) -> None:
    """Fragments of one `index` may come back as they were streamed, or joined."""
    joined: dict[int, Json] = {}
    for place, detail in enumerate(as_list(message["reasoning_details"])):
        whole = joined.setdefault(detail.get("index", place), {})
        text = whole.get("text", "") + (detail.get("text") or "")
        whole |= detail | ({"text": text} if detail.get("type") == "reasoning.text" else {})
    for detail in joined.values():
        text, signature = detail.get("text"), detail.get("signature")
        legal = (
            unseal("thinking", signature) == text
            if detail["type"] == "reasoning.text"
            else unseal("redacted", detail.get("data")) is not None
        )
        if not legal:
            raise Illegal(f"{at}.reasoning_details: Invalid `signature` in `thinking` block")
    for call in message.get("tool_calls") or []:
        given = service.given.get(call.get("id"))
        if given is not None and given["details"] != list(joined.values()):
            raise Illegal(
                f"{at}.reasoning_details: the sequence of reasoning blocks must match the one "
                "generated by the model"
            )
