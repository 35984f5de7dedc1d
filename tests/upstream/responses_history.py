"""What OpenAI's Responses API asks of a history: calls and outputs, reasoning and what follows."""

from __future__ import annotations

from itertools import pairwise

from tests.upstream.script import Json
from tests.upstream.seals import unseal
from tests.upstream.service import Illegal, Service


def check_history(items: list[Json], service: Service, *, stored: bool) -> None:
    _check_ids(items)
    _check_outputs(items)
    end: Json = {"type": "end"}
    for item, after in pairwise([*items, end]):
        if item["type"] == "reasoning":
            _check_encrypted(item, stored=stored)
            _check_following(item, after, service)
    for before, item in pairwise([end, *items]):
        _check_given(before, item, service)


def _check_ids(items: list[Json]) -> None:
    seen: set[str] = set()
    for item in items:
        if (item_id := item.get("id")) in seen:
            raise _input(
                f"Duplicate item found with id {item_id}. Remove duplicate items from your input "
                "and try again."
            )
        seen |= {item_id} if item_id else set()


def _check_outputs(items: list[Json]) -> None:
    calls: list[str] = []
    outputs: list[str] = []
    for item in items:
        if item["type"] == "function_call":
            if item["call_id"] in calls:
                raise _input(f"Duplicate function call found with call_id {item['call_id']}.")
            calls.append(item["call_id"])
        elif item["type"] == "function_call_output":
            if item["call_id"] not in calls:
                raise _input(
                    f"No tool call found for function call output with call_id {item['call_id']}."
                )
            if item["call_id"] in outputs:
                raise _input(f"Duplicate function call output with call_id {item['call_id']}.")
            outputs.append(item["call_id"])
    for call_id in calls:
        if call_id not in outputs:
            raise _input(f"No tool output found for function call {call_id}.")


def _check_encrypted(item: Json, *, stored: bool) -> None:
    sealed = item.get("encrypted_content")
    if sealed is None and not stored:
        raise Illegal(
            f"Item with id '{item['id']}' not found. Items are not persisted when `store` is set "
            "to `false`. Try again with `store` set to `true`, or remove this item from your "
            "input.",
            status=404,
            param="input",
        )
    if sealed is not None and unseal("reasoning", sealed) != item["id"]:
        raise Illegal(
            f"The encrypted content for item {item['id']} could not be verified. Reason: "
            "Encrypted content could not be decrypted or parsed.",
            code="invalid_encrypted_content",
        )


def _check_following(item: Json, after: Json, service: Service) -> None:
    given = service.given.get(item["id"])
    output = after["type"] in ("reasoning", "function_call") or after.get("role") == "assistant"
    if given is None:
        follows = output
    else:
        expected = given["following"] or {"id": None, "call_id": None}
        same_call = "id" not in after and after.get("call_id") == expected.get("call_id")
        follows = output and (after.get("id") == expected["id"] or same_call)
    if not follows:
        raise _input(
            f"Item '{item['id']}' of type 'reasoning' was provided without its required following "
            "item."
        )


def _check_given(before: Json, item: Json, service: Service) -> None:
    given = service.given.get(item.get("id", ""))
    if given is None:
        return
    if given["reasoning"] is not None and before.get("id") != given["reasoning"]:
        raise _input(
            f"Item '{item['id']}' of type '{item['type']}' was provided without its required "
            f"'reasoning' item: '{given['reasoning']}'."
        )
    if item["type"] == "message" and item.get("phase") != given["phase"]:
        raise _input(
            f"Item '{item['id']}' of type 'message' was provided with the phase "
            f"'{item.get('phase')}', but was generated as '{given['phase']}'."
        )


def _input(message: str) -> Illegal:
    return Illegal(message, param="input")
