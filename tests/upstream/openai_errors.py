"""The errors of both OpenAI wires."""

from __future__ import annotations

from tests.upstream.faults import Fail
from tests.upstream.script import Json
from tests.upstream.seals import ident

_ERRORS: dict[int, tuple[str, str | None, str]] = {
    400: ("invalid_request_error", None, "The request could not be understood."),
    401: (
        "invalid_request_error",
        "invalid_api_key",
        "Incorrect API key provided: bad-key. You can find your API key at "
        "https://platform.openai.com/account/api-keys.",
    ),
    403: ("invalid_request_error", "unsupported_country_region_territory", "Not supported."),
    404: (
        "invalid_request_error",
        "model_not_found",
        "The model `{model}` does not exist or you do not have access to it.",
    ),
    413: ("invalid_request_error", None, "Request too large."),
    429: (
        "requests",
        "rate_limit_exceeded",
        "Rate limit reached for {model} on requests per min (RPM): Limit 3, Used 3, Requested 1.",
    ),
    500: (
        "server_error",
        None,
        "The server had an error while processing your request. Sorry about that!",
    ),
    503: ("server_error", None, "The engine is currently overloaded, please try again later."),
}
_TOO_LONG = "Your input exceeds the context window of this model. Please adjust your input."
_NO_QUOTA = "You exceeded your current quota, please check your plan and billing details."


def error_body(fail: Fail, model: str) -> Json:
    kind, code, message = _ERRORS.get(fail.status, _ERRORS[500])
    if fail.code == "context_length_exceeded":
        message = _TOO_LONG
    elif fail.code == "insufficient_quota":
        kind, message = "insufficient_quota", _NO_QUOTA
    if fail.message is not None:
        code, message = None, fail.message
    error: Json = {"message": message.format(model=model) if not fail.message else message}
    return {"error": {**error, "type": kind, "param": fail.param, "code": fail.code or code}}


def headers(number: int) -> dict[str, str]:
    return {"x-request-id": ident("req_", number)}
