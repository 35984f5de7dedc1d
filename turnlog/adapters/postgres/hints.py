"""Words between nodes over LISTEN and NOTIFY, on connections that do nothing else.

NOTIFY stays out of every transaction that writes: PostgreSQL lets such commits pass
one after the other only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg
import structlog

SAY = "SELECT pg_notify($1, word) FROM unnest($2::text[]) AS word"
STILL_THERE = "SELECT 1"

# NOTIFY takes fewer than 8,000 bytes; an id and an offset are 56 at the most, with a space.
_WORDS_IN_A_PAYLOAD = 140

_log = structlog.get_logger()


class PostgresHints:
    """`Hints`. `patience`, in seconds, is how long an answer may take.

    A listener's connection that says nothing is asked every `doubt` seconds whether it
    is still there; one that was lost is made anew, after a pause that grows to `longest`.
    """

    def __init__(
        self,
        url: str,
        *,
        channel: str = "turnlog",
        patience: float = 2.0,
        doubt: float = 15.0,
        longest: float = 5.0,
    ) -> None:
        self._url = url
        self._channel = channel
        self._patience = patience
        self._doubt = doubt
        self._longest = longest
        self._mouth: asyncpg.Connection | None = None
        self._saying = asyncio.Lock()
