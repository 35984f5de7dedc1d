"""Providers' errors, whether HTTP statuses, events or broken connections, as `ModelFailed`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import httpx2
from aiohttp.http_exceptions import HttpProcessingError
from msgspec import Struct

from turnlog.adapters.wire.payloads import Garbled
from turnlog.domain.codec import well_formed
from turnlog.domain.errors import ModelFailed, ModelFailure

_TOO_LONG = re.compile(
    r"context.{0,3}(length|window|size)|prompt is too long|too many (input )?tokens"
    r"|maximum.{0,20}tokens|input is too long|request_too_large",
    re.IGNORECASE,
)
_SPENT = ("quota", "billing", "spend_limit", "credits")
_SECRETS = re.compile(r"\bsk-[\w*.-]+")

_BY_WORD: dict[str, tuple[ModelFailure, bool]] = {
    "overloaded": ("overloaded", True),
    "slow_down": ("overloaded", True),
    "rate_limit": ("rate_limited", True),
    "too_many_requests": ("rate_limited", True),
    "authentication": ("authentication", False),
    "permission": ("authentication", False),
    "api_key": ("authentication", False),
    "server_error": ("provider_error", True),
    "api_error": ("provider_error", True),
    "timeout": ("provider_error", True),
    "not_found": ("invalid_request", False),
    "invalid": ("invalid_request", False),
    "image": ("invalid_request", False),
    "policy": ("invalid_request", False),
}
_BY_STATUS: dict[int, tuple[ModelFailure, bool]] = {
    401: ("authentication", False),
    402: ("rate_limited", False),
    403: ("authentication", False),
    408: ("provider_error", True),
    409: ("provider_error", True),
    413: ("context_too_long", False),
    429: ("rate_limited", True),
    503: ("overloaded", True),
    529: ("overloaded", True),
}


class Service(Struct, frozen=True, kw_only=True):
    """Who is asked: its id, the base of its SDK's errors, and what must not be told of it."""

    provider: str
    sdk_error: type[Exception]
    secret: str


def failure_of(error: Exception, service: Service) -> ModelFailed | None:
    """What went wrong, or None if it was none of the provider's doing."""
    if isinstance(error, ModelFailed):
        return error
    if isinstance(error, Garbled):
        return told(service, f"{service.provider} sent what cannot be understood: {error}")
    if isinstance(error, httpx2.RequestError) or _is_broken_http(error):
        return _unconnected(error, service)
    if not isinstance(error, service.sdk_error):
        return None
    response = getattr(error, "response", None)
    if isinstance(response, httpx2.Response):
        return _refused(error, response, service)
    return _unconnected(error.__cause__ or error, service)


def cut_short(service: Service) -> ModelFailed:
    """The stream ended before its own end."""
    message = f"The answer of {service.provider} ended before it was whole."
    return ModelFailed("connection", message, provider=service.provider, retryable=True)


def told(
    service: Service,
    message: str,
    *,
    words: str = "",
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> ModelFailed:
    """A failure that the provider tells of; `words` are its types and codes."""
    reason, retryable = _judged(words.lower(), status, message)
    message = well_formed(message)
    if service.secret:
        message = message.replace(service.secret, "***")
    return ModelFailed(
        reason,
        _SECRETS.sub("***", message),
        provider=service.provider,
        retryable=retryable,
        retry_after=None if headers is None else _retry_after(headers),
    )


def _judged(words: str, status: int | None, message: str) -> tuple[ModelFailure, bool]:
    misshapen = status in (None, 400, 413, 422) and "rate_limit" not in words
    if "context_length" in words or (misshapen and _TOO_LONG.search(message)):
        return "context_too_long", False
    if any(word in words for word in _SPENT):
        return "rate_limited", False
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status is not None:
        return ("provider_error", True) if status >= 500 else ("invalid_request", False)
    for word, judgement in _BY_WORD.items():
        if word in words:
            return judgement
    return "provider_error", True


def _refused(error: Exception, response: httpx2.Response, service: Service) -> ModelFailed:
    body = getattr(error, "body", None)
    inner: Any = body.get("error", body) if isinstance(body, dict) else {}
    told_of: dict[str, Any] = inner if isinstance(inner, dict) else {"message": inner}
    message = told_of.get("message")
    if not isinstance(message, str) or not message:
        message = f"{service.provider} answered {response.status_code}: {response.text[:500]}"
    behind = told_of.get("metadata")
    if isinstance(behind, dict) and isinstance(behind.get("raw"), str):
        message = f"{message}: {behind['raw']}"
    return told(
        service,
        message,
        words=f"{told_of.get('type')} {told_of.get('code')} {getattr(error, 'error_code', '')}",
        status=response.status_code,
        headers=response.headers,
    )


def _unconnected(error: BaseException, service: Service) -> ModelFailed:
    # What was wrong with our own request may be a header, and so a secret.
    local = not isinstance(error, httpx2.TransportError) or isinstance(
        error, httpx2.LocalProtocolError
    )
    why = ("" if local else str(error)) or type(error).__name__
    return ModelFailed(
        "connection",
        f"The connection to {service.provider} failed: {why}",
        provider=service.provider,
        retryable=True,
    )


def _is_broken_http(error: Exception) -> bool:
    """What the SDKs' transport lets through of aiohttp's: an answer that is no HTTP."""
    if isinstance(error, RuntimeError):
        return str(error) == "Connection closed."
    return isinstance(error, aiohttp.ClientError | HttpProcessingError)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from `Retry-After` (RFC 9110, 10.2.3) or `Retry-After-Ms`."""
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers[name]) / unit)
        except (KeyError, ValueError):
            pass
    try:
        moment = parsedate_to_datetime(headers.get("retry-after", ""))
    except ValueError:
        return None
    return max(0.0, (moment.astimezone(UTC) - datetime.now(UTC)).total_seconds())
