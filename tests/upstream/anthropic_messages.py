"""Anthropic's Messages API: reading a request, and a reply as its stream of events."""

from __future__ import annotations

from collections.abc import Iterator

from tests.upstream.anthropic_rules import blocks_of, check
from tests.upstream.faults import ErrorEvent, Fail, Failed
from tests.upstream.script import Call, Entry, Json, ParsedRequest, Reply, Say, Think, usage_of
from tests.upstream.seals import ident, seal
from tests.upstream.service import Frame, Service, as_list, sse

__all__ = ["NAME", "PING", "broken", "check", "error_body", "frames", "headers", "read"]

NAME = "anthropic"
PING = sse({"type": "ping"}, "ping")

_STOPS = {"content_filter": "refusal"}
_ERRORS = {
    400: ("invalid_request_error", "The request could not be understood."),
    401: ("authentication_error", "invalid x-api-key"),
    403: ("permission_error", "Your API key does not have permission to use this resource."),
    404: ("not_found_error", "model: {model}"),
    413: ("request_too_large", "Request exceeds the maximum size"),
    429: ("rate_limit_error", "This request would exceed your organization's rate limit."),
    500: ("api_error", "Internal server error"),
    503: ("api_error", "Service temporarily unavailable"),
    529: ("overloaded_error", "Overloaded"),
}


def read(body: Json, number: int) -> ParsedRequest:
    thinking = body.get("thinking") or {}
    history = list(_entries(body))
    return ParsedRequest(
        wire=NAME,
        number=number,
        model=body["model"],
        history=history,
        tools=[str(tool.get("name")) for tool in as_list(body.get("tools"))],
        thinks=thinking.get("type") in ("enabled", "adaptive"),
        images=sum(b.get("type") == "image" for m in body["messages"] for b in blocks_of(m)),
        body=body,
    )


def _entries(body: Json) -> Iterator[Entry]:
    if system := _text(body.get("system")):
        yield Entry("system", system)
    for message in body["messages"]:
        for block in blocks_of(message):
            if block["type"] == "tool_result":
                yield Entry("result", _text(block.get("content")), call_id=block["tool_use_id"])
            elif block["type"] == "tool_use":
                call = Call(block["name"], block["input"])
                yield Entry("call", call.text, name=call.name, call_id=block["id"])
        if said := _text(message["content"]):
            yield Entry(message["role"], said)


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else []
    return "".join(block["text"] for block in blocks if block.get("type") == "text")


def frames(reply: Reply, request: ParsedRequest, service: Service) -> list[Frame]:
    parts = [part for part in reply.parts if request.thinks or not isinstance(part, Think)]
    usage = usage_of(reply, request)
    counted = {
        "input_tokens": usage.input - usage.cached - usage.cache_write,
        "cache_creation_input_tokens": usage.cache_write,
        "cache_read_input_tokens": usage.cached,
    }
    message: Json = {
        "model": request.model,
        "id": ident("msg_01", service.nonce, request.number),
        "type": "message",
        "role": "assistant",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "stop_details": None,
        "usage": {**counted, "output_tokens": 1, "service_tier": "standard"},
    }
    stream = [_event("message_start", message=message)]
    thoughts: list[str] = []
    for index, part in enumerate(parts):
        stream += _block(index, part, request, service, thoughts)
    stream.insert(min(2, len(stream)), Frame(PING))
    stop = _STOPS.get(reply.ending, reply.ending)
    details = {"type": "refusal", "category": None, "explanation": None}
    ending = {"stop_reason": stop, "stop_sequence": None}
    stream += [
        _event(
            "message_delta",
            delta={**ending, "stop_details": details if stop == "refusal" else None},
            usage={
                **counted,
                "output_tokens": usage.output,
                "output_tokens_details": {"thinking_tokens": usage.reasoning},
            },
        ),
        _event("message_stop"),
    ]
    return stream


def _block(
    index: int, part: Think | Say | Call, request: ParsedRequest, service: Service, seen: list[str]
) -> Iterator[Frame]:
    empty: Json
    deltas: list[Json]
    match part:
        case Think(text=text, redacted=True):
            empty, deltas = {"type": "redacted_thinking", "data": seal("redacted", text)}, []
            seen.append(empty["data"])
        case Think(text=text):
            shown = "" if request.body["thinking"].get("display") == "omitted" else text
            signature = seal("thinking", shown)
            empty = {"type": "thinking", "thinking": "", "signature": ""}
            deltas = [{"type": "thinking_delta", "thinking": p} for p in service.pieces(shown)]
            deltas.append({"type": "signature_delta", "signature": signature})
            seen.append(signature)
        case Say(text=text):
            empty = {"type": "text", "text": ""}
            deltas = [{"type": "text_delta", "text": piece} for piece in service.pieces(text)]
        case Call(name=name):
            tool_id = ident("toolu_01", service.nonce, request.number, index)
            service.given[tool_id] = {"thoughts": list(seen), "asked": request.thinks}
            empty = {"type": "tool_use", "id": tool_id, "name": name, "input": {}}
            empty["caller"] = {"type": "direct"}
            texts = ["", *service.pieces(part.text if part.arguments else "")]
            deltas = [{"type": "input_json_delta", "partial_json": text} for text in texts]
    yield _event("content_block_start", index=index, content_block=empty)
    for delta in deltas:
        content = delta.get("partial_json") != "" and delta["type"] != "signature_delta"
        yield _event("content_block_delta", content, index=index, delta=delta)
    yield _event("content_block_stop", index=index)


def _event(name: str, delta_: bool = False, /, **members: object) -> Frame:
    return Frame(sse({"type": name, **members}, name), delta_)


def broken(
    fault: ErrorEvent | Failed, request: ParsedRequest, service: Service, sent: int
) -> bytes:
    kind = fault.code or "overloaded_error"
    error = {"type": kind, "message": fault.message or "Overloaded", "details": None}
    return sse({"type": "error", "error": error}, "error")


def error_body(fail: Fail, model: str) -> Json:
    kind, worded = _ERRORS.get(fail.status, ("api_error", "Internal server error"))
    if fail.code == "context_length_exceeded":
        worded = "prompt is too long: 210042 tokens > 200000 maximum"
    error = {"type": kind, "message": fail.message or worded.format(model=model)}
    return {"type": "error", "error": error, "request_id": ident("req_011", model)}


def headers(number: int) -> dict[str, str]:
    return {"request-id": ident("req_011", number)}
