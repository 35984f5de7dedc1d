"""A local server that speaks the providers' real wire formats to their real SDKs."""

from __future__ import annotations

from tests.upstream.faults import (
    Cut,
    ErrorEvent,
    Fail,
    Failed,
    Fault,
    NeverAnswer,
    PingsOnly,
    Silence,
)
from tests.upstream.playing import Gate
from tests.upstream.script import (
    Call,
    Entry,
    ParsedRequest,
    Reply,
    Say,
    Script,
    Think,
    Usage,
    default_script,
)
from tests.upstream.server import Upstream

__all__ = [
    "Call",
    "Cut",
    "Entry",
    "ErrorEvent",
    "Fail",
    "Failed",
    "Fault",
    "Gate",
    "NeverAnswer",
    "ParsedRequest",
    "PingsOnly",
    "Reply",
    "Say",
    "Script",
    "Silence",
    "Think",
    "Upstream",
    "Usage",
    "default_script",
]
