"""A real PostgreSQL in the data folder: the wheel's binaries, started and stopped by us.

The wheel's own `get_server` is not used: it counts its users by process ids in a file, and
so never stops after a `kill -9`. Here a user is a shared `flock`, which the kernel lets go.
"""

import asyncio
import fcntl
import hashlib
import os
import shlex
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import IO, NamedTuple
from urllib.parse import quote

from turnlog.adapters.embedded_account import Account, account_for, make_reachable

START_TIMEOUT_S = 300  # recovery after a crash may read gigabytes of WAL
STOP_TIMEOUT_S = 120
SOCKET_PATH_LIMIT = 103  # bytes; macOS, the lowest of all
PORT = 5432

SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "fsync": "on",
    "synchronous_commit": "on",
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
    "min_wal_size": "256MB",
    "checkpoint_timeout": "15min",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "log_min_messages": "log",  # an error is told to its client, not kept in a file as well
}

INITDB = (
    "initdb", "--pgdata=.", "--username=postgres", "--auth=trust", "--encoding=UTF8",
    "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--data-checksums",
)  # fmt: skip


class EmbeddedPostgresFailed(RuntimeError):
    """The embedded PostgreSQL cannot be used; the message says why and what to do."""


@asynccontextmanager
async def embedded_postgres(
    data_dir: Path, settings: Mapping[str, str] | None = None
) -> AsyncIterator[str]:
    """As `running_postgres`, with the waiting done in a thread."""
    server = running_postgres(data_dir, settings)
    starting = asyncio.create_task(asyncio.to_thread(server.__enter__))
    try:
        yield await asyncio.shield(starting)
    finally:
        await asyncio.wait([starting])
        if starting.exception() is None:
            await asyncio.to_thread(server.__exit__, None, None, None)


@contextmanager
def running_postgres(
    data_dir: Path, settings: Mapping[str, str] | None = None
) -> Iterator[str]:
    """Give the URL of the PostgreSQL in `data_dir`; make it, start it or join it as needed.

    Any number of processes may use one folder; the last to leave stops the server. One that
    was killed has left. `settings` are PostgreSQL's, and go over `SETTINGS`; whoever joins
    takes the server as it is. Raises `EmbeddedPostgresFailed`.
    """
    binaries = _binaries()
    data_dir = data_dir.expanduser().resolve()
    data_dir.mkdir(parents=True, exist_ok=True)
    cluster = _Cluster(data_dir / "postgres", binaries, account_for(data_dir / "postgres"))
    with (data_dir / "postgres.gate").open("w") as gate:
        with (data_dir / "postgres.users").open("w") as users:
            fcntl.flock(gate, fcntl.LOCK_EX)
            alone = _hold_alone(users)
            postmaster = cluster.ensure_running({**SETTINGS, **(settings or {})}, alone)
            fcntl.flock(users, fcntl.LOCK_SH)
            fcntl.flock(gate, fcntl.LOCK_UN)
            try:
                yield postmaster.url
            finally:
                fcntl.flock(gate, fcntl.LOCK_EX)
                if _hold_alone(users):
                    cluster.stop()
