"""What carries the messages to a server and back, and why that fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import httpx2
from mcp.client._transport import TransportStreams
from mcp.shared.exceptions import MCPError
from pydantic import ValidationError

LONGEST_MESSAGE = 16 * 1024 * 1024
"""A server that says more than so many bytes at once is not listened to further."""

LONGEST_REASON = 500


class ServerFailed(Exception):
    """The server cannot be spoken with; the message is the end of a sentence about it."""


class Wire(Protocol):
    """One connection to a server, made when it is opened."""

    lost: bool
    """The server has forgotten the connection; what was asked was not done."""

    ended: str | None
    """Why nothing will be heard any more, known before the connection is over."""

    status: int | None
    """The HTTP status of the last refusal, if there was one."""

    def open(self) -> AbstractAsyncContextManager[TransportStreams]:
        """The two streams that the SDK speaks over. Any failure ends the context by raising."""

    def abort(self) -> None:
        """End the server at once, if it is ours to end."""


def reason_of(failure: BaseException) -> str:
    """Why a connection ended, as the end of a sentence that begins with the server's name."""
    leaves = list(_leaves(failure))
    for leaf in leaves:
        if isinstance(leaf, ServerFailed):
            return str(leaf)
    for leaf in leaves:
        match leaf:
            case TimeoutError():
                return "did not answer in time"
            case httpx2.ConnectError() | httpx2.ConnectTimeout():
                return "cannot be reached"
            case httpx2.HTTPError():
                return "broke off the connection"
            case MCPError():
                return f"refused the connection: {leaf.error.message[:LONGEST_REASON]}"
            case ValidationError() | RuntimeError():
                return "does not speak the protocol as it should"
            case _:
                continue
    return f"failed with {type(leaves[0]).__name__}"


def _leaves(failure: BaseException) -> Iterator[BaseException]:
    if isinstance(failure, BaseExceptionGroup):
        for inner in failure.exceptions:
            yield from _leaves(inner)
    else:
        yield failure
