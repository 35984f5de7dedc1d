"""What Anthropic's Messages API asks of a history: calls, their results, their thoughts."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from tests.upstream.script import Json
from tests.upstream.service import Illegal, Service, as_list

_THOUGHTS = ("thinking", "redacted_thinking")


class Said(msgspec.Struct):
    """Consecutive messages of one role, merged; `index` is the first one's place."""

    index: int
    role: str
    blocks: list[Json]

    def of(self, kind: str) -> list[Json]:
        return [block for block in self.blocks if block["type"] == kind]


def check_history(body: Json, service: Service) -> None:
    history = list(_merged(body["messages"]))
    if not history or history[0].role != "user":
        raise Illegal('messages: first message must use the "user" role')
    _check_results(history)
    if (body.get("thinking") or {}).get("type") in ("enabled", "adaptive"):
        _check_thoughts(history, service, forced=body["thinking"]["type"] == "enabled")


def _merged(messages: list[Json]) -> Iterator[Said]:
    said: Said | None = None
    for index, message in enumerate(messages):
        content = message["content"]
        text = [{"type": "text", "text": content}]
        blocks = text if isinstance(content, str) else as_list(content)
        if said is not None and said.role == message["role"]:
            said.blocks += blocks
            continue
        if said is not None:
            yield said
        said = Said(index, message["role"], list(blocks))
    if said is not None:
        yield said


def _check_results(history: list[Said]) -> None:
    seen: set[str] = set()
    nobody = Said(-1, "assistant", [])
    for said, after in zip([nobody, *history], [*history, None], strict=True):
        asked = [block["id"] for block in said.of("tool_use")]
        if len({*asked}) < len(asked) or seen.intersection(asked):
            raise Illegal("messages: `tool_use` ids must be unique")
        seen.update(asked)
        answered: list[str] = []
        first = True
        for place, block in enumerate(after.blocks if after else []):
            if block["type"] != "tool_result":
                first = False
                continue
            tool_id = str(block.get("tool_use_id"))
            at = f"messages.{after.index if after else 0}.content.{place}"
            if tool_id not in asked:
                raise Illegal(
                    f"{at}: unexpected `tool_use_id` found in `tool_result` blocks: {tool_id}. "
                    "Each `tool_result` block must have a corresponding `tool_use` block in the "
                    "previous message."
                )
            if tool_id in answered:
                raise Illegal(
                    f"{at}: each tool_use must have a single result. Found multiple "
                    f"`tool_result` blocks with id: {tool_id}"
                )
            if first:
                answered.append(tool_id)
        if open_calls := [tool_id for tool_id in asked if tool_id not in answered]:
            raise Illegal(
                f"messages.{said.index}: `tool_use` ids were found without `tool_result` blocks "
                f"immediately after: {', '.join(open_calls)}. Each `tool_use` block must have a "
                "corresponding `tool_result` block in the next message."
            )


def _check_thoughts(history: list[Said], service: Service, *, forced: bool) -> None:
    """Within the current tool loop, calls come back with the thoughts that they came with."""
    start = 0
    for place, said in enumerate(history):
        if said.role == "user" and not said.of("tool_result"):
            start = place
    for said in history[start:]:
        thoughts: list[str] = []
        for place, block in enumerate(said.blocks):
            at = f"messages.{said.index}.content.{place}"
            if block["type"] in _THOUGHTS:
                thoughts.append(block.get("signature") or block["data"])
            elif block["type"] == "tool_use":
                given = service.given.get(block["id"], {"asked": False})
                if given["asked"] and not thoughts and given["thoughts"]:
                    raise _unthinking(f"messages.{said.index}.content.0", said)
                if given["asked"] and thoughts != given["thoughts"]:
                    raise Illegal(
                        f"{at}: `thinking` or `redacted_thinking` blocks in the latest assistant "
                        "message cannot be modified. These blocks must remain as they were in "
                        "the original response."
                    )
                if forced and not given["asked"] and said.blocks[0]["type"] not in _THOUGHTS:
                    raise _unthinking(f"messages.{said.index}.content.0", said)


def _unthinking(at: str, said: Said) -> Illegal:
    return Illegal(
        f"{at}.type: Expected `thinking` or `redacted_thinking`, but found "
        f"`{said.blocks[0]['type']}`. When `thinking` is enabled, a final `assistant` message "
        "must start with a thinking block (preceeding the lastmost set of `tool_use` and "
        "`tool_result` blocks)."
    )
