"""The output items of the Responses API, each with the events in which it is streamed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from tests.upstream.script import Call, Json, ParsedRequest, Say, Think
from tests.upstream.seals import seal
from tests.upstream.service import Service

Streamed = tuple[str, Json]


class Item(msgspec.Struct):
    """`added` opens the item, `inner` fills it, `done` is what must be given back."""

    added: Json
    done: Json
    inner: Callable[[str], Iterator[Streamed]]

    def events(self) -> Iterator[Streamed]:
        yield "response.output_item.added", {"item": self.added}
        for name, members in self.inner(self.done["id"]):
            yield name, {"item_id": self.done["id"], **members}
        yield "response.output_item.done", {"item": self.done}


def item_of(
    part: Think | Say | Call,
    seed: str,
    request: ParsedRequest,
    service: Service,
    *,
    phase: str,
    refused: bool,
    status: str,
) -> Item:
    """The item of one part; its id follows from the seed."""
    options = request.body.get("stream_options") or {}
    padding: Json = {} if options.get("include_obfuscation") is False else {"obfuscation": "xK3p"}

    def pieces(text: str) -> Iterator[Json]:
        return ({"delta": piece, **padding} for piece in service.pieces(text))

    match part:
        case Think():
            return _reasoning(part, f"rs_{seed}", request, pieces)
        case Say(text=text):
            head = {"id": f"msg_{seed}", "type": "message", "role": "assistant", "phase": phase}
            filled = _refusal(text) if refused else _output_text(text)
            return Item(
                added={**head, "status": "in_progress", "content": []},
                done={**head, "status": status, "content": [filled]},
                inner=lambda _: _content(filled, text, pieces),
            )
        case Call(name=name, text=text):
            head = {"id": f"fc_{seed}", "type": "function_call", "name": name}
            head["call_id"] = f"call_{seed}"
            return Item(
                added={**head, "status": "in_progress", "arguments": ""},
                done={**head, "status": status, "arguments": text},
                inner=lambda _: _arguments(text, pieces),
            )


def _reasoning(
    part: Think, item_id: str, request: ParsedRequest, pieces: Callable[[str], Iterator[Json]]
) -> Item:
    """A thought's paragraphs are the parts of its summary; without `summary`, none is shown."""
    shown = [] if part.redacted or not request.thinks else part.text.split("\n\n")
    head: Json = {"id": item_id, "type": "reasoning", "summary": []}
    done = head | {"summary": [{"type": "summary_text", "text": text} for text in shown]}
    if "reasoning.encrypted_content" in (request.body.get("include") or []):
        sealed = seal("reasoning", item_id)
        head["encrypted_content"] = sealed[: len(sealed) // 2]  # incomplete until it is done
        done["encrypted_content"] = sealed

    def summary(_: str) -> Iterator[Streamed]:
        kind = "response.reasoning_summary"
        for index, text in enumerate(shown):
            at = {"summary_index": index}
            empty = {"type": "summary_text", "text": ""}
            yield f"{kind}_part.added", {**at, "part": empty}
            yield from ((f"{kind}_text.delta", {**at, **piece}) for piece in pieces(text))
            yield f"{kind}_text.done", {**at, "text": text}
            yield f"{kind}_part.done", {**at, "part": {**empty, "text": text}}

    return Item(added=head, done=done, inner=summary)


def _output_text(text: str) -> Json:
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": text}


def _refusal(text: str) -> Json:
    return {"type": "refusal", "refusal": text}


def _content(
    filled: Json, text: str, pieces: Callable[[str], Iterator[Json]]
) -> Iterator[Streamed]:
    at: Json = {"content_index": 0}
    kind = filled["type"]
    member = "refusal" if kind == "refusal" else "text"
    logprobs: Json = {} if kind == "refusal" else {"logprobs": []}
    yield "response.content_part.added", {**at, "part": {**filled, member: ""}}
    for piece in pieces(text):
        yield f"response.{kind}.delta", {**at, **piece, **logprobs}
    yield f"response.{kind}.done", {**at, member: text, **logprobs}
    yield "response.content_part.done", {**at, "part": filled}


def _arguments(text: str, pieces: Callable[[str], Iterator[Json]]) -> Iterator[Streamed]:
    kind = "response.function_call_arguments"
    yield from ((f"{kind}.delta", piece) for piece in pieces(text))
    yield f"{kind}.done", {"arguments": text}
