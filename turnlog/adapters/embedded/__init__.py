"""A real PostgreSQL in the data folder: the wheel's binaries, started and stopped by us.

The wheel's own `get_server` is not used: it counts its users by process ids in a file, and so
never stops again after a `kill -9`. Here a user is a shared `flock`, which dies with its process.
"""

import asyncio
import fcntl
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import IO

from turnlog.adapters.embedded.cluster import Cluster
from turnlog.adapters.embedded.errors import EmbeddedPostgresFailed
from turnlog.adapters.embedded.postmaster import find_postmaster
from turnlog.adapters.embedded.watching import watched

__all__ = ["EmbeddedPostgresFailed", "embedded_postgres", "running_postgres"]

FOLDER = "postgres"


@asynccontextmanager
async def embedded_postgres(
    data_dir: Path, settings: Mapping[str, str] | None = None
) -> AsyncIterator[str]:
    """As `running_postgres`, with the waiting done in a thread.

    A server that ends meanwhile, killed for its memory perhaps, is started again.
    """
    server = running_postgres(data_dir, settings)
    starting = asyncio.create_task(asyncio.to_thread(server.__enter__))
    try:
        url = await asyncio.shield(starting)
        async with watched(lambda: _start_again(data_dir, settings or {})):
            yield url
    finally:
        await asyncio.wait([starting])
        if starting.exception() is None:
            await asyncio.to_thread(server.__exit__, None, None, None)


@contextmanager
def running_postgres(data_dir: Path, settings: Mapping[str, str] | None = None) -> Iterator[str]:
    """Give the URL of the PostgreSQL in `data_dir`; make, start or join it as needed.

    Any number of processes may use one folder, and the last to leave stops the server; one that
    was killed has left. `settings` are PostgreSQL's own and go over ours; whoever joins takes
    the server as it is. Raises `EmbeddedPostgresFailed`.
    """
    data_dir = _resolved(data_dir)
    data_dir.mkdir(parents=True, exist_ok=True)
    cluster = Cluster(data_dir / FOLDER)
    with _gate(data_dir) as gate, _users(data_dir) as users:
        fcntl.flock(gate, fcntl.LOCK_EX)
        postmaster = cluster.ensure_running(settings or {}, others_use_it=not _is_alone(users))
        fcntl.flock(users, fcntl.LOCK_SH)
        fcntl.flock(gate, fcntl.LOCK_UN)
        try:
            yield postmaster.url
        finally:
            fcntl.flock(gate, fcntl.LOCK_EX)
            if _is_alone(users):
                cluster.stop()


def _start_again(data_dir: Path, settings: Mapping[str, str]) -> bool:
    """Start the server if it has ended, and nobody else has; whether that was so."""
    data_dir = _resolved(data_dir)
    if find_postmaster(data_dir / FOLDER) is not None:
        return False
    with _gate(data_dir) as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        if find_postmaster(data_dir / FOLDER) is not None:
            return False
        # Whoever else uses the folder has seen the server run, and so sees that it ended.
        Cluster(data_dir / FOLDER).ensure_running(settings, others_use_it=False)
        return True


def _resolved(data_dir: Path) -> Path:
    return data_dir.expanduser().resolve()


def _gate(data_dir: Path) -> IO[str]:
    return (data_dir / "postgres.gate").open("w")


def _users(data_dir: Path) -> IO[str]:
    return (data_dir / "postgres.users").open("w")


def _is_alone(users: IO[str]) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
