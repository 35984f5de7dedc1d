"""Around every request: its id, its line in the log, and errors in the form that was promised."""

from __future__ import annotations

import asyncio
import re
import time
from http import HTTPStatus
from uuid import uuid4

import structlog
from aiohttp import HttpVersion11, web
from aiohttp.typedefs import Handler
from structlog.contextvars import bound_contextvars

from turnlog.domain.errors import TurnlogError
from turnlog.http.body import MESSAGE_BYTES
from turnlog.http.errors import REQUEST_ID, problem, refusal, status_of
from turnlog.http.parameters import canonical

CLIENT_HUNG_UP = 499

log = structlog.get_logger(__name__)
_SANE_ID = re.compile(r"[A-Za-z0-9._:+/=@-]{1,128}")
_BOUND = {"conversationId": "conversation_id", "turnId": "turn_id"}


@web.middleware
async def recorded(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request its id, and say in the log what became of it; never what was said in it."""
    given = request.headers.get("X-Request-Id", "")
    request[REQUEST_ID] = given if _SANE_ID.fullmatch(given) else str(uuid4())
    route = request.match_info.route.resource
    started = time.perf_counter()
    status = CLIENT_HUNG_UP
    with bound_contextvars(request_id=request[REQUEST_ID], **_ids(request)):
        try:
            response = await handler(request)
            status = response.status
            return response
        finally:
            log.info(
                "http.request",
                method=request.method,
                path=None if route is None else route.canonical,
                status=status,
                duration_ms=round((time.perf_counter() - started) * 1000, 1),
            )


@web.middleware
async def refusals_told(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn whatever is raised into an answer; a defect is told to the log only."""
    try:
        return await handler(request)
    except TurnlogError as error:
        if status_of(error) == HTTPStatus.INTERNAL_SERVER_ERROR:
            return _defect(request)
        return refusal(request, error)
    except web.HTTPException as error:
        if error.status < HTTPStatus.BAD_REQUEST:
            raise
        return _told(request, error)
    except Exception as error:
        if isinstance(error, ConnectionError) and _hung_up(request):
            raise asyncio.CancelledError from None
        return _defect(request)


async def name_request(request: web.Request, response: web.StreamResponse) -> None:
    """Put the request's id on its response, whoever made that."""
    response.headers["X-Request-Id"] = request.setdefault(REQUEST_ID, str(uuid4()))


async def expected(request: web.Request) -> None:
    """Ask for the body that a client holds back, unless no endpoint would take so much of it."""
    if request.version < HttpVersion11 or (request.content_length or 0) > MESSAGE_BYTES:
        return
    if request.headers["Expect"].lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0


def _hung_up(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()


def _ids(request: web.Request) -> dict[str, str]:
    """The ids in the path, for the log; what is none is not worth repeating."""
    ids = {}
    for word, name in _BOUND.items():
        try:
            ids[name] = str(canonical(request.match_info.get(word, "")))
        except ValueError:
            pass
    return ids


def _told(request: web.Request, error: web.HTTPException) -> web.Response:
    status = HTTPStatus(error.status)
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        if request.method == "OPTIONS":
            return web.Response(status=HTTPStatus.NO_CONTENT, headers={"Allow": allowed})
        message = f"{error.method} cannot be done here; what can: {allowed}."
        return problem(request, status, "METHOD_NOT_ALLOWED", message, headers={"Allow": allowed})
    code = status.phrase.upper().replace(" ", "_")
    message = error.text or status.description
    if isinstance(error, web.HTTPNotFound):
        message = f"There is nothing at {request.path[:200]}."
    return problem(request, status, code, message)


def _defect(request: web.Request) -> web.Response:
    log.exception("http.failed")
    if request.writer.output_size and request.transport is not None:
        # The answer is under way: all that can be said now is that it breaks off.
        request.transport.abort()
        raise asyncio.CancelledError
    return problem(
        request,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "INTERNAL_ERROR",
        "The server failed; its log has the details under the request's id.",
    )
