"""What OpenAI's Responses API accepts: the members of a request and of its items."""

from __future__ import annotations

import re
from collections.abc import Mapping

from openai.types.responses.response_create_params import ResponseCreateParamsStreaming

from tests.upstream.responses_history import check_history
from tests.upstream.script import Json
from tests.upstream.service import Illegal, Service, as_list

_MEMBERS = (
    ResponseCreateParamsStreaming.__required_keys__
    | ResponseCreateParamsStreaming.__optional_keys__
)
_ITEMS = {
    "message": {"id", "role", "content", "status", "phase"},
    "function_call": {"id", "call_id", "name", "arguments", "status", "namespace", "caller"},
    "function_call_output": {"id", "call_id", "output", "status", "name", "namespace", "caller"},
    "reasoning": {"id", "summary", "content", "encrypted_content", "status"},
}
_PREFIX = {"message": "msg", "function_call": "fc", "reasoning": "rs"}
_GIVEN = ("output_text", "refusal")
_ASKED = ("input_text", "input_image", "input_file")
_NAME = "^[a-zA-Z0-9_-]+$"


def check(body: Json, headers: Mapping[str, str], service: Service) -> None:
    """Raise `Illegal` for what the real service would refuse."""
    for required in ("model", "input"):
        if body.get(required) is None:
            raise _missing(required)
    for member in body.keys() - _MEMBERS:
        raise _unknown(member)
    limit = body.get("max_output_tokens")
    if limit is not None and limit < 16:
        raise Illegal(
            "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16, "
            f"but got {limit} instead.",
            code="integer_below_min_value",
            param="max_output_tokens",
        )
    if (previous := body.get("previous_response_id")) is not None:
        raise Illegal(
            f"Previous response with id '{previous}' not found.",
            code="previous_response_not_found",
            param="previous_response_id",
        )
    for index, tool in enumerate(as_list(body.get("tools"))):
        _check_name(f"tools[{index}].name", tool.get("name"))
    items = items_of(body)
    for index, item in enumerate(items):
        _check_item(f"input[{index}]", item)
    check_history(items, service, stored=body.get("store", True) is not False)


def items_of(body: Json) -> list[Json]:
    """The input as items, each with its `type`."""
    if isinstance(body["input"], str):
        return [{"type": "message", "role": "user", "content": body["input"]}]
    return [{"type": "message", **item} for item in as_list(body["input"])]


def _check_item(at: str, item: Json) -> None:
    kind = item["type"]
    if kind not in _ITEMS:
        raise Illegal(f"Invalid value: '{kind}'.", code="invalid_value", param=at)
    for member in item.keys() - _ITEMS[kind] - {"type"}:
        raise _unknown(f"{at}.{member}")
    prefix = _PREFIX.get(kind)
    if prefix and "id" in item and not re.match(rf"{prefix}_\w", str(item["id"])):
        raise Illegal(
            f"Invalid '{at}.id': '{item['id']}'. Expected an ID that begins with '{prefix}'.",
            code="invalid_value",
            param=f"{at}.id",
        )
    match kind:
        case "message":
            _check_content(at, item)
        case "reasoning":
            for required in ("id", "summary"):
                if item.get(required) is None:
                    raise _missing(f"{at}.{required}")
        case "function_call":
            _check_name(f"{at}.name", item.get("name"))
            _check_call_id(at, item)
            _check_string(f"{at}.arguments", item.get("arguments"))
        case "function_call_output":
            _check_call_id(at, item)
            if not isinstance(item.get("output"), str | list):
                raise _missing(f"{at}.output")
        case _:
            pass


def _check_content(at: str, item: Json) -> None:
    if item.get("role") not in ("user", "assistant", "system", "developer"):
        raise Illegal(f"Invalid value: '{item.get('role')}'.", param=f"{at}.role")
    if item.get("content") is None:
        raise _missing(f"{at}.content")
    if item.get("phase") not in (None, "commentary", "final_answer"):
        raise Illegal(f"Invalid value: '{item['phase']}'.", param=f"{at}.phase")
    supported = _GIVEN if item["role"] == "assistant" else _ASKED
    parts = item["content"] if isinstance(item["content"], list) else []
    for place, part in enumerate(parts):
        if part.get("type") not in supported:
            listed = ", ".join(f"'{kind}'" for kind in supported[:-1]) + f" and '{supported[-1]}'"
            raise Illegal(
                f"Invalid value: '{part.get('type')}'. Supported values are: {listed}.",
                code="invalid_value",
                param=f"{at}.content[{place}]",
            )


def _check_call_id(at: str, item: Json) -> None:
    call_id = item.get("call_id")
    _check_string(f"{at}.call_id", call_id)
    if not 1 <= len(str(call_id)) <= 64:
        raise Illegal(
            f"Invalid '{at}.call_id': string too long. Expected a string with maximum length 64, "
            f"but got a string with length {len(str(call_id))} instead.",
            code="string_above_max_length",
            param=f"{at}.call_id",
        )


def _check_string(at: str, value: object) -> None:
    if value is None:
        raise _missing(at)
    if not isinstance(value, str):
        raise Illegal(f"Invalid type for '{at}': expected a string.", code="invalid_type", param=at)


def _check_name(at: str, name: object) -> None:
    if not re.fullmatch(_NAME, str(name)):
        raise Illegal(
            f"Invalid '{at}': string does not match pattern. Expected a string that matches the "
            f"pattern '{_NAME}'.",
            code="invalid_value",
            param=at,
        )


def _missing(param: str) -> Illegal:
    return Illegal(
        f"Missing required parameter: '{param}'.", code="missing_required_parameter", param=param
    )


def _unknown(param: str) -> Illegal:
    return Illegal(f"Unknown parameter: '{param}'.", code="unknown_parameter", param=param)
