"""OpenAI's Responses API: reading a request, and a reply as its stream of events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.upstream.faults import ErrorEvent, Failed
from tests.upstream.openai_errors import error_body, headers
from tests.upstream.responses_items import Item, Streamed, item_of
from tests.upstream.responses_rules import check, items_of
from tests.upstream.script import Call, Entry, Json, ParsedRequest, Reply, usage_of
from tests.upstream.seals import ident
from tests.upstream.service import Frame, Service, as_list, sse

__all__ = ["NAME", "PING", "broken", "check", "error_body", "frames", "headers", "read"]

NAME = "responses"
PING = sse({"type": "keepalive", "sequence_number": 0}, "keepalive")

_INCOMPLETE = {"max_tokens": "max_output_tokens", "content_filter": "content_filter"}


def read(body: Json, number: int) -> ParsedRequest:
    items = items_of(body)
    instructions = [Entry("system", body["instructions"])] if body.get("instructions") else []
    parts = [part for item in items for part in _parts(item.get("content"))]
    return ParsedRequest(
        wire=NAME,
        number=number,
        model=body["model"],
        history=instructions + [entry for item in items for entry in _entries(item)],
        tools=[str(tool.get("name")) for tool in as_list(body.get("tools"))],
        thinks=(body.get("reasoning") or {}).get("summary") is not None,
        images=sum(part.get("type") == "input_image" for part in parts),
        body=body,
    )


def _entries(item: Json) -> Iterator[Entry]:
    match item["type"]:
        case "message":
            role: Any = item["role"]
            yield Entry("system" if role == "developer" else role, _text(item["content"]))
        case "function_call":
            yield Entry("call", item["arguments"], name=item["name"], call_id=item["call_id"])
        case "function_call_output":
            yield Entry("result", _text(item["output"]), call_id=item["call_id"])
        case _:
            pass  # reasoning was never said


def _text(content: object) -> str:
    return (
        content if isinstance(content, str) else "".join(p.get("text", "") for p in _parts(content))
    )


def _parts(content: object) -> list[Json]:
    return as_list(content) if isinstance(content, list) else []


def frames(reply: Reply, request: ParsedRequest, service: Service) -> list[Frame]:
    items = _items(reply, request, service)
    events: list[Streamed] = [
        ("response.created", {"response": _response(request, service, "in_progress")}),
        ("response.in_progress", {"response": _response(request, service, "in_progress")}),
    ]
    for index, item in enumerate(items):
        named = ((name, {"output_index": index, **members}) for name, members in item.events())
        events += named
    status = "incomplete" if reply.ending in _INCOMPLETE else "completed"
    usage = usage_of(reply, request)
    counted = {
        "input_tokens": usage.input,
        "input_tokens_details": {
            "cached_tokens": usage.cached,
            "cache_write_tokens": usage.cache_write,
        },
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.input + usage.output,
    }
    ending = _response(request, service, status, [item.done for item in items], usage=counted)
    if status == "incomplete":
        ending["incomplete_details"] = {"reason": _INCOMPLETE[reply.ending]}
    events.append((f"response.{status}", {"response": ending}))
    return [
        Frame(
            sse({"type": name, "sequence_number": number, **members}, name),
            name.endswith(".delta"),
        )
        for number, (name, members) in enumerate(events)
    ]


def _items(reply: Reply, request: ParsedRequest, service: Service) -> list[Item]:
    last = len(reply.parts) - 1
    items: list[Item] = []
    for index, part in enumerate(reply.parts):
        calls_follow = any(isinstance(later, Call) for later in reply.parts[index + 1 :])
        item = item_of(
            part,
            ident("", service.nonce, request.number, index),
            request,
            service,
            phase="commentary" if calls_follow else "final_answer",
            refused=reply.stop == "refusal",
            status="incomplete" if reply.ending in _INCOMPLETE and index == last else "completed",
        )
        items.append(item)
    for place, item in enumerate(items):
        following = items[place + 1].done if place < last else None
        before = items[place - 1].done if place else {}
        service.given[item.done["id"]] = {
            "following": following,
            "reasoning": before["id"] if before.get("type") == "reasoning" else None,
            "phase": item.done.get("phase"),
        }
    return items


def _response(
    request: ParsedRequest,
    service: Service,
    status: str,
    output: list[Json] | None = None,
    **members: object,
) -> Json:
    body = request.body
    return {
        "id": ident("resp_", service.nonce, request.number),
        "object": "response",
        "created_at": 1_760_000_000,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "model": request.model,
        "output": output or [],
        "parallel_tool_calls": body.get("parallel_tool_calls", True),
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None} | (body.get("reasoning") or {}),
        "store": body.get("store", True),
        "temperature": body.get("temperature", 1.0),
        "text": body.get("text", {"format": {"type": "text"}}),
        "tool_choice": body.get("tool_choice", "auto"),
        "tools": body.get("tools", []),
        "top_p": body.get("top_p", 1.0),
        "truncation": "disabled",
        "usage": None,
        "metadata": body.get("metadata") or {},
        **members,
    }


def broken(
    fault: ErrorEvent | Failed, request: ParsedRequest, service: Service, sent: int
) -> bytes:
    code = fault.code or "server_error"
    message = fault.message or "The server had an error while processing your request."
    error: Json = {"code": code, "message": message}
    if isinstance(fault, Failed):
        name = "response.failed"
        members: Json = {"response": _response(request, service, "failed", error=error)}
    else:
        name, error = "error", {**error, "param": None}
        members = {"error": {"type": code, **error}} if fault.nested else error
    return sse({"type": name, "sequence_number": sent, **members}, name)
