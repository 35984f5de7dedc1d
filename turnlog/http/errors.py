"""How each refusal is told over HTTP, and the refusals that only HTTP knows.

TurnlogError
├── InvalidInput
│   └── InvalidJson
├── NotFound
│   └── NotYet
├── ForeignCaller            neither from this machine nor with a key
├── UnsupportedMediaType
├── BodyTooLarge
├── BodyStalled
└── IdempotencyKeyReused
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from aiohttp import web
from msgspec import Struct

from turnlog.domain.codec import mended
from turnlog.domain.errors import (
    Conflict,
    InvalidInput,
    NodeStopping,
    NotFound,
    PreconditionFailed,
    StoreUnavailable,
    TurnlogError,
)

RETRY_AFTER_SECONDS = 1
REQUEST_ID = web.RequestKey("request_id", str)


class InvalidJson(InvalidInput):
    """The body is not JSON: {problem}."""

    code = "INVALID_JSON"


class NotYet(NotFound):
    """This version of turnlog does not have {path} yet."""


class ForeignCaller(TurnlogError):
    """Without keys configured this server serves its own machine only, and {header} is foreign."""

    code = "FORBIDDEN"


class UnsupportedMediaType(TurnlogError):
    """The body must be sent as 'Content-Type: application/json', in UTF-8, not as '{given}'."""

    code = "UNSUPPORTED_MEDIA_TYPE"


class BodyTooLarge(TurnlogError):
    """The body is too large; the limit is {limit} bytes."""

    code = "PAYLOAD_TOO_LARGE"


class BodyStalled(TurnlogError):
    """The rest of the body did not arrive within {seconds} s."""

    code = "REQUEST_TIMEOUT"


class IdempotencyKeyReused(TurnlogError):
    """This Idempotency-Key was used before, with another body: take a new one."""

    code = "IDEMPOTENCY_KEY_REUSED"


# A kind that is not named has the status of the kind above it. One that comes to
# TurnlogError itself was meant for somebody else than a client: a defect.
STATUS: dict[type[TurnlogError], HTTPStatus] = {
    TurnlogError: HTTPStatus.INTERNAL_SERVER_ERROR,
    InvalidInput: HTTPStatus.BAD_REQUEST,
    ForeignCaller: HTTPStatus.FORBIDDEN,
    NotFound: HTTPStatus.NOT_FOUND,
    BodyStalled: HTTPStatus.REQUEST_TIMEOUT,
    Conflict: HTTPStatus.CONFLICT,
    PreconditionFailed: HTTPStatus.PRECONDITION_FAILED,
    BodyTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    UnsupportedMediaType: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    IdempotencyKeyReused: HTTPStatus.UNPROCESSABLE_ENTITY,
    StoreUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    NodeStopping: HTTPStatus.SERVICE_UNAVAILABLE,
}


class ErrorBody(Struct, frozen=True, kw_only=True, rename="camel"):
    """What turnlog adds to RFC 9457; `details` depends on the code."""

    code: str
    message: str
    details: dict[str, Any]
    request_id: str


class Problem(Struct, frozen=True, kw_only=True):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    error: ErrorBody


def status_of(error: TurnlogError) -> HTTPStatus:
    """The status with which a refusal is answered."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def refusal(request: web.Request, error: TurnlogError) -> web.Response:
    """The answer that tells a refusal."""
    status = status_of(error)
    details = {name: value for name, value in error.details.items() if name != "message"}
    headers = {}
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    response = problem(request, status, error.code, str(error), details, headers)
    if isinstance(error, NodeStopping):
        response.force_close()  # so that the client's next try goes elsewhere
    return response


def problem(
    request: web.Request,
    status: HTTPStatus,
    code: str,
    message: str,
    details: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """An answer in the form of RFC 9457, with turnlog's own member in it."""
    document = Problem(
        type="about:blank",
        title=status.phrase,
        status=status,
        detail=message,
        instance=request.rel_url.raw_path,
        error=ErrorBody(
            code=code, message=message, details=dict(details or {}), request_id=request[REQUEST_ID]
        ),
    )
    return web.Response(
        body=_encoded(document),
        status=status,
        headers=headers,
        content_type="application/problem+json",
    )


def _encoded(document: Problem) -> bytes:
    """The document, which may repeat what a client sent as bytes that are no UTF-8."""
    try:
        return msgspec.json.encode(document)
    except UnicodeEncodeError:
        return msgspec.json.encode(mended(msgspec.to_builtins(document)))
