"""The answers that are no reply of a model: errors and the list of models."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from tests.upstream.faults import Fail
from tests.upstream.script import Json
from tests.upstream.service import Wire

_BORN = "2025-10-09T08:53:20Z"


def stream_headers(wire: Wire, number: int) -> dict[str, str]:
    fixed = {"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache"}
    return fixed | wire.headers(number)


def error_answer(wire: Wire, fail: Fail, body: Any, number: int) -> web.Response:
    model = str(body.get("model")) if isinstance(body, dict) else ""
    headers = wire.headers(number) | fail.headers
    if fail.retry_after is not None:
        headers["Retry-After"] = f"{fail.retry_after:g}"
    return web.json_response(wire.error_body(fail, model), status=fail.status, headers=headers)


def list_models(names: list[str], *, anthropic: bool) -> web.Response:
    models: list[Json]
    if anthropic:
        models = [
            {"type": "model", "id": name, "display_name": name, "created_at": _BORN}
            for name in names
        ]
        ends = {"first_id": names[0], "last_id": names[-1]}
        return web.json_response({"data": models, "has_more": False, **ends})
    models = [
        {"id": name, "object": "model", "created": 1_760_000_000, "owned_by": "tests"}
        for name in names
    ]
    return web.json_response({"object": "list", "data": models})
