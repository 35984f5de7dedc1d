"""Every refusal, as one tree. The docstring is the message, with the details in braces.

TurnlogError
├── InvalidInput             what was asked for cannot be
│   ├── InvalidProvider
│   ├── UnsupportedApi
│   ├── MissingConfiguration
│   ├── UnknownTool
│   ├── UnknownToolServer
│   ├── ToolNotAllowed
│   ├── NotAvailable
│   ├── InvalidCursor
│   ├── InvalidChange
│   └── InvalidSchema        for arguments of a function that the caller runs
├── NotFound
├── Conflict                 it can be, but not now
│   ├── ConversationBusy
│   ├── CallNotOpen
│   ├── CursorAhead
│   ├── PreconditionFailed
│   └── AnsweredBefore       it was done, and is not done again
├── ProjectionStopped        it cannot be built from this log
├── TurnSuperseded           for runners: the turn is no longer theirs
├── StoreUnavailable         the database is away
├── NodeStopping             another node will do it
├── ModelFailed              a provider's failure
├── ToolFailed               a tool's failure, told to the model
│   └── ToolTimedOut
└── DeliveryFailed           a webhook did not take a message
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from turnlog.domain.records import AnswerRecord

ModelFailure = Literal[
    "rate_limited",
    "overloaded",
    "invalid_request",
    "authentication",
    "context_too_long",
    "connection",
    "stalled",
    "provider_error",
]


class TurnlogError(Exception):
    """Something was refused."""

    code: ClassVar[str] = "ERROR"

    def __init__(self, **details: Any) -> None:
        self.details = details
        message = (type(self).__doc__ or "").strip()
        super().__init__(message.format(**details))


class InvalidInput(TurnlogError):
    """{message}"""

    code = "VALIDATION_ERROR"


class InvalidProvider(InvalidInput):
    """Unknown model provider '{given}'. Supported providers: {supported}."""

    code = "INVALID_PROVIDER"


class UnsupportedApi(InvalidInput):
    """The provider '{provider}' does not speak the API '{api}'; it speaks: {supported}."""

    code = "UNSUPPORTED_API"


class MissingConfiguration(InvalidInput):
    """The provider '{provider}' is not configured: set {variable} and start the server again."""

    code = "CONFIGURATION_ERROR"


class UnknownTool(InvalidInput):
    """There is no tool '{name}' here. Available tools: {available}."""

    code = "UNKNOWN_TOOL"


class UnknownToolServer(InvalidInput):
    """There is no MCP server '{name}' here. Configured servers: {available}."""

    code = "UNKNOWN_TOOL_SERVER"


class ToolNotAllowed(InvalidInput):
    """The tool '{name}' is off here: whoever runs this server allows it by setting {variable}."""

    code = "TOOL_NOT_ALLOWED"


class NotAvailable(InvalidInput):
    """{feature} is not available in this version of turnlog."""

    code = "NOT_AVAILABLE"


class InvalidCursor(InvalidInput):
    """'{cursor}' is not a cursor: {expected}."""

    code = "INVALID_CURSOR"


class InvalidChange(InvalidInput):
    """{message}"""


class InvalidSchema(InvalidInput):
    """{message}"""

    def __init__(self, message: str) -> None:
        """`message` says where in the schema, and what."""
        super().__init__(message=message)


class NotFound(TurnlogError):
    """There is no {thing} '{id}'."""

    code = "NOT_FOUND"


class Conflict(TurnlogError):
    """It cannot be done just now."""

    code = "CONFLICT"


class ConversationBusy(Conflict):
    """A turn is running in this conversation, and the message asked to be rejected then."""

    code = "CONVERSATION_BUSY"


class CallNotOpen(Conflict):
    """The call '{call}' of this turn waits for no {wanted}; of its calls these do: {waiting}."""

    code = "CALL_NOT_OPEN"


class CursorAhead(Conflict):
    """The cursor {cursor} is beyond the end of the log, which is {head}."""

    code = "CURSOR_AHEAD"


class PreconditionFailed(Conflict):
    """The conversation has moved on: it stands at offset {offset}, not where If-Match says."""

    code = "PRECONDITION_FAILED"


class AnsweredBefore(Conflict):
    """This was asked before under the same Idempotency-Key."""

    code = "ANSWERED_BEFORE"

    def __init__(self, record: AnswerRecord) -> None:
        super().__init__()
        self.record = record


class ProjectionStopped(TurnlogError):
    """The projection '{projection}' was not rebuilt, and is read as it was: {reason}."""

    code = "PROJECTION_STOPPED"


class TurnSuperseded(TurnlogError):
    """This attempt no longer owns the turn."""

    code = "TURN_SUPERSEDED"


class StoreUnavailable(TurnlogError):
    """The database cannot be reached just now."""

    code = "STORE_UNAVAILABLE"


class NodeStopping(TurnlogError):
    """This node was asked to stop and takes nothing new; another one will."""

    code = "NODE_STOPPING"


class ModelFailed(TurnlogError):
    """{message}"""

    code = "MODEL_FAILED"

    def __init__(
        self,
        reason: ModelFailure,
        message: str,
        *,
        provider: str,
        retryable: bool = False,
        retry_after: float | None = None,
    ) -> None:
        """`retry_after` is in seconds, as the provider asked."""
        super().__init__(message=message)
        self.reason = reason
        self.provider = provider
        self.retryable = retryable
        self.retry_after = retry_after


class ToolFailed(TurnlogError):
    """{message}"""

    code = "TOOL_FAILED"

    def __init__(self, message: str) -> None:
        super().__init__(message=message)


class ToolTimedOut(ToolFailed):
    """{message}"""

    code = "TOOL_TIMED_OUT"


class DeliveryFailed(TurnlogError):
    """{message}"""

    code = "DELIVERY_FAILED"

    def __init__(
        self, message: str, *, for_good: bool = False, retry_after: float | None = None
    ) -> None:
        """`for_good`: the receiver wants no more; `retry_after` in seconds, as it asked."""
        super().__init__(message=message)
        self.for_good = for_good
        self.retry_after = retry_after
