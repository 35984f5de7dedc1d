"""Answers as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from aiohttp import web

_encoder = msgspec.json.Encoder()


def json(
    payload: Any, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """The payload, in camelCase where its type says so."""
    return web.Response(
        body=_encoder.encode(payload),
        status=status,
        headers=headers,
        content_type="application/json",
        charset="utf-8",
    )
