"""Which errors mean that the database is away, or was while it was asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from turnlog.domain.errors import StoreUnavailable

# https://www.postgresql.org/docs/current/errcodes-appendix.html
_CLASSES = (
    "08",  # connection exception
    "40",  # transaction rollback: serialization, deadlock
    "53",  # insufficient resources: too many connections, disk full
    "57",  # operator intervention: cancelled, shut down, starting
    "58",  # system error
)
_STATES = frozenset(
    {
        "23505",  # unique violation: how two writers who met show in a distributed database
        "25006",  # read-only: a standby answered, as after a failover
        "55P03",  # lock not available
        "0A000",  # cached plan must not change its result type: the schema moved on
    }
)


def is_outage(error: BaseException) -> bool:
    """Whether the same statement may succeed when it is sent again.

    It may then also have been done already: a broken connection, or a time-out,
    tells nothing of the outcome.
    """
    if isinstance(error, asyncpg.PostgresError):
        state = error.sqlstate or ""
        return state[:2] in _CLASSES or state in _STATES
    if isinstance(error, asyncpg.InterfaceError):
        # The driver's word for a lost connection; its `DataError` is a bad argument.
        return not isinstance(error, ValueError)
    return isinstance(error, (OSError, asyncpg.InternalClientError, EOFError))


@contextmanager
def outages_told() -> Iterator[None]:
    """Raises `StoreUnavailable` for what is an outage."""
    try:
        yield
    except Exception as error:
        if is_outage(error):
            raise StoreUnavailable() from error
        raise
