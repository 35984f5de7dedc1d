"""Driving the upstream with the official SDKs, for its own tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from anthropic import AsyncAnthropic
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionChunk

from tests.upstream.server import Upstream

WIRES = ("anthropic", "responses", "chat")
THINKING = {"type": "enabled", "budget_tokens": 1024}


class Clients(msgspec.Struct):
    """Both SDKs, pointed at the upstream; they do not retry by themselves."""

    upstream: Upstream
    anthropic: AsyncAnthropic
    openai: AsyncOpenAI

    async def ask(self, wire: str, said: str | list[Any], **members: Any) -> Any:
        """The stream of the SDK's own events; `said` is a message or the wire's history."""
        body = {"model": "model-one", "stream": True, **members}
        user: Any = [{"role": "user", "content": said}] if isinstance(said, str) else said
        match wire:
            case "anthropic":
                body = {"max_tokens": 4096, "thinking": THINKING, "messages": user, **body}
                return await self.anthropic.messages.create(**_without_none(body))
            case "responses":
                body = {"store": False, "reasoning": {"summary": "auto"}, "input": user, **body}
                body = {"include": ["reasoning.encrypted_content"], **body}
                return await self.openai.responses.create(**_without_none(body))
            case _:
                body = {"stream_options": {"include_usage": True}, "messages": user, **body}
                return await self.openai.chat.completions.create(**_without_none(body))

    async def output(self, wire: str, said: str | list[Any], **members: Any) -> list[Any]:
        """What must be given back: Anthropic's and Chat's message, or the output items."""
        stream = await self.ask(wire, said, **members)
        async with stream:
            match wire:
                case "anthropic":
                    return [await _message(stream)]
                case "responses":
                    return [item async for event in stream for item in _done(event)]
                case _:
                    return [await _chat_message(stream)]


@asynccontextmanager
async def connected(**options: Any) -> AsyncIterator[Clients]:
    """An upstream of one's own and the SDKs' clients for it."""
    options = {"api_key": "key", "max_retries": 0, **options}
    async with (
        Upstream() as upstream,
        AsyncAnthropic(base_url=upstream.url, **options) as anthropic,
        AsyncOpenAI(base_url=upstream.openai_url, **options) as openai,
    ):
        yield Clients(upstream, anthropic, openai)


def _without_none(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if value is not None}


async def _message(stream: AsyncIterator[Any]) -> dict[str, Any]:
    blocks: list[dict[str, Any]] = []
    arguments: dict[int, str] = {}
    async for event in stream:
        if event.type == "content_block_start":
            blocks.append(event.content_block.to_dict(mode="json"))
        elif event.type == "content_block_delta" and event.delta.type == "input_json_delta":
            arguments[event.index] = arguments.get(event.index, "") + event.delta.partial_json
        elif event.type == "content_block_delta":
            (member,) = event.delta.to_dict().keys() - {"type"}
            blocks[event.index][member] += getattr(event.delta, member)
    for index, text in arguments.items():
        blocks[index]["input"] = msgspec.json.decode(text or "{}")
    return {"role": "assistant", "content": blocks}


def _done(event: Any) -> list[dict[str, Any]]:
    return [event.item.to_dict(mode="json")] if event.type == "response.output_item.done" else []


async def _chat_message(stream: AsyncIterator[ChatCompletionChunk]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": "", "reasoning_details": []}
    calls: list[dict[str, Any]] = []
    async for chunk in stream:
        delta = chunk.choices[0].delta.to_dict() if chunk.choices else {}
        message["content"] += delta.get("content") or ""
        message["reasoning_details"] += delta.get("reasoning_details") or []
        tool_calls: Any = delta.get("tool_calls") or []
        for call in tool_calls:
            index = call.pop("index")
            if index == len(calls):
                calls.append(call)
            else:
                calls[index]["function"]["arguments"] += call["function"]["arguments"]
    return message | ({"tool_calls": calls} if calls else {})


def results(wire: str, output: list[Any], *texts: str) -> list[Any]:
    """The history that follows: the output, and a result for each of its calls."""
    match wire:
        case "anthropic":
            calls = [block for block in output[0]["content"] if block["type"] == "tool_use"]
            content = [
                {"type": "tool_result", "tool_use_id": call["id"], "content": text}
                for call, text in zip(calls, texts, strict=True)
            ]
            return [*output, {"role": "user", "content": content}]
        case "responses":
            calls = [item for item in output if item["type"] == "function_call"]
            return output + [
                {"type": "function_call_output", "call_id": call["call_id"], "output": text}
                for call, text in zip(calls, texts, strict=True)
            ]
        case _:
            calls = output[0]["tool_calls"]
            return output + [
                {"role": "tool", "tool_call_id": call["id"], "content": text}
                for call, text in zip(calls, texts, strict=True)
            ]
