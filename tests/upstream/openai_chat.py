"""OpenAI's Chat Completions, with the reasoning that OpenRouter and DeepSeek add to it."""

from __future__ import annotations

from collections.abc import Iterator

from tests.upstream.chat_rules import check
from tests.upstream.faults import ErrorEvent, Failed
from tests.upstream.openai_errors import error_body, headers
from tests.upstream.script import Call, Entry, Json, ParsedRequest, Reply, Say, Think, usage_of
from tests.upstream.seals import ident, seal
from tests.upstream.service import Frame, Service, as_list, sse

__all__ = ["NAME", "PING", "broken", "check", "error_body", "frames", "headers", "read"]

NAME = "chat"
PING = b": OPENROUTER PROCESSING\n\n"

_FORMAT = "anthropic-claude-v1"
_FINISH = {"tool_use": "tool_calls", "max_tokens": "length", "content_filter": "content_filter"}


def read(body: Json, number: int) -> ParsedRequest:
    reasoning = body.get("reasoning") or {}
    parts = [p for m in body["messages"] for p in as_list(_list(m.get("content")))]
    return ParsedRequest(
        wire=NAME,
        number=number,
        model=body["model"],
        history=[entry for message in body["messages"] for entry in _entries(message)],
        tools=[str(tool.get("function", {}).get("name")) for tool in as_list(body.get("tools"))],
        thinks=not reasoning.get("exclude") and reasoning.get("effort") != "none",
        images=sum(part.get("type") == "image_url" for part in parts),
        body=body,
    )


def _entries(message: Json) -> Iterator[Entry]:
    content = message.get("content")
    text = content if isinstance(content, str) else ""
    text += "".join(p["text"] for p in as_list(_list(content)) if p.get("type") == "text")
    match message["role"]:
        case "tool":
            yield Entry("result", text, call_id=message["tool_call_id"])
        case "user":
            yield Entry("user", text)
        case "assistant":
            if text:
                yield Entry("assistant", text)
            for call in message.get("tool_calls") or []:
                name, arguments = call["function"]["name"], call["function"]["arguments"]
                yield Entry("call", arguments, name=name, call_id=call["id"])
        case _:
            yield Entry("system", text)


def _list(content: object) -> list[object]:
    return content if isinstance(content, list) else []


def frames(reply: Reply, request: ParsedRequest, service: Service) -> list[Frame]:
    options = request.body.get("stream_options") or {}
    usage: Json = {"usage": None} if options.get("include_usage") else {}
    stream = [Frame(PING)] if service.chat_reasoning == "openrouter" else []
    stream.append(_chunk(request, service, {"role": "assistant", "content": ""}, **usage))
    for delta in _deltas(reply, request, service):
        content = "reasoning_details" not in delta or "reasoning" in delta
        content = content and not _opens_call(delta)
        stream.append(_chunk(request, service, delta, content, **usage))
    finish = _FINISH.get(reply.ending, "stop")
    stream.append(_chunk(request, service, {}, finish_reason=finish, **usage))
    if options.get("include_usage"):
        counts = usage_of(reply, request)
        counted = {
            "prompt_tokens": counts.input,
            "completion_tokens": counts.output,
            "total_tokens": counts.input + counts.output,
            "prompt_tokens_details": {
                "cached_tokens": counts.cached,
                "cache_write_tokens": counts.cache_write,
            },
            "completion_tokens_details": {"reasoning_tokens": counts.reasoning},
        }
        stream.append(_chunk(request, service, None, usage=counted))
    return [*stream, Frame(b"data: [DONE]\n\n")]


def _deltas(reply: Reply, request: ParsedRequest, service: Service) -> Iterator[Json]:
    calls = 0
    details: list[Json] = []
    for index, part in enumerate(reply.parts):
        match part:
            case Think():
                yield from _thought(part, details, service) if request.thinks else ()
            case Say(text=text):
                member = "refusal" if reply.stop == "refusal" else "content"
                yield from ({member: piece} for piece in service.pieces(text))
            case Call():
                call_id = ident("call_", service.nonce, request.number, index)
                service.given[call_id] = {"details": list(details)}
                function = {"name": part.name, "arguments": ""}
                opening = {"id": call_id, "type": "function", "function": function}
                yield {"tool_calls": [{"index": calls, **opening}]}
                for piece in service.pieces(part.text):
                    yield {"tool_calls": [{"index": calls, "function": {"arguments": piece}}]}
                calls += 1


def _opens_call(delta: Json) -> bool:
    return any("id" in call for call in delta.get("tool_calls", []))


def _thought(part: Think, details: list[Json], service: Service) -> Iterator[Json]:
    head: Json = {"type": "reasoning.text", "format": _FORMAT, "index": len(details)}
    if service.chat_reasoning == "deepseek":
        yield from ({"reasoning_content": piece} for piece in service.pieces(part.text))
    elif service.chat_reasoning == "openrouter" and part.redacted:
        head |= {"type": "reasoning.encrypted", "data": seal("redacted", part.text)}
        details.append(head)
        yield {"content": "", "reasoning_details": [head]}
    elif service.chat_reasoning == "openrouter":
        for piece in service.pieces(part.text):
            shown = {"content": "", "reasoning": piece}
            yield {**shown, "reasoning_details": [{**head, "text": piece}]}
        signed = {**head, "signature": seal("thinking", part.text)}
        details.append({**signed, "text": part.text})
        yield {"content": "", "reasoning_details": [signed]}


def _chunk(
    request: ParsedRequest,
    service: Service,
    delta: Json | None,
    is_delta: bool = False,
    finish_reason: str | None = None,
    **members: object,
) -> Frame:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    chunk = {
        "id": ident("chatcmpl-", service.nonce, request.number),
        "object": "chat.completion.chunk",
        "created": 1_760_000_000,
        "model": request.model,
        "system_fingerprint": None,
        "choices": [] if delta is None else [choice],
    }
    return Frame(sse(chunk | members), is_delta)


def broken(
    fault: ErrorEvent | Failed, request: ParsedRequest, service: Service, sent: int
) -> bytes:
    message = fault.message or "Provider disconnected"
    error = {"message": message, "code": fault.code or "server_error"}
    return _chunk(request, service, {"content": ""}, finish_reason="error", error=error).data
