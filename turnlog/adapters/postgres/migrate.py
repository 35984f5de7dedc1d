"""Brings a database to the schema of this release, one numbered step after the other."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

import asyncpg
from msgspec import Struct

import turnlog
from turnlog.adapters.postgres.outages import outages_told
from turnlog.domain.errors import TurnlogError

OLDEST_SERVER = 15

# Any number that nobody else uses: the one of all turnlog nodes at one database.
_LOCK = 0x7475726E6C6F67

# A step that begins with this line is one statement, which is run outside a transaction
# (CREATE INDEX CONCURRENTLY, for one), and which can be run again if it was cut off.
ALONE = "-- turnlog: outside a transaction\n"

_CREATE_HISTORY = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    version integer PRIMARY KEY,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL
)
"""
_DESCRIBE_HISTORY = """
COMMENT ON TABLE schema_migrations IS
    'The steps that were taken. Written by turnlog/adapters/postgres/migrate.py.'
"""
_HAS_HISTORY = "SELECT to_regclass('schema_migrations') IS NOT NULL"
_READ_HISTORY = "SELECT version, name, checksum FROM schema_migrations ORDER BY version"
_WRITE_HISTORY = """
INSERT INTO schema_migrations (version, name, checksum, applied_at) VALUES ($1, $2, $3, now())
"""
_HAS_BUCKETS = "SELECT EXISTS (SELECT FROM settings WHERE name = 'buckets')"
_CHOOSE_BUCKETS = "INSERT INTO settings (name, value) VALUES ('buckets', $1::integer::text)"
_BEGIN_FEEDS = """
INSERT INTO feed_heads (bucket, position) SELECT n, 0 FROM generate_series(0, $1::integer - 1) n
"""


class SchemaRefused(TurnlogError):
    """The database cannot be used by this release of turnlog."""

    code = "SCHEMA_REFUSED"


class SchemaAltered(SchemaRefused):
    """The migration {name} was edited after this database had taken it; that must never be."""


class SchemaTooNew(SchemaRefused):
    """The database has taken {name}, which this release does not know: install the later one."""


class SchemaBehind(SchemaRefused):
    """The database lacks {missing}, and this process may not migrate it (TURNLOG_MIGRATE=0)."""


class ServerTooOld(SchemaRefused):
    """PostgreSQL {version} is too old: turnlog needs {oldest} or newer."""


class Migration(Struct, frozen=True):
    version: int
    name: str
    sql: str

    @classmethod
    def read(cls, path: Path) -> Self:
        """From a file with a name like `0001_the_log.sql`."""
        return cls(int(path.name.partition("_")[0]), path.stem, path.read_text("utf-8"))

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations() -> list[Migration]:
    """All steps, in order: from inside the wheel, else from the root of the repository."""
    package = Path(turnlog.__file__).parent
    folders = (package / "migrations", package.parent / "migrations")
    folder = next(folder for folder in folders if folder.is_dir())
    return [Migration.read(path) for path in sorted(folder.glob("[0-9]*_*.sql"))]


async def migrate(
    url: str,
    *,
    buckets: int = 8,
    check_only: bool = False,
    steps: Sequence[Migration] | None = None,
) -> list[str]:
    """Take the steps that are missing, and give their names; raises `SchemaRefused`.

    However many nodes start together, one of them does it and the others wait.
    `buckets` (1 to 256) counts only where there is no database yet: it never changes.
    With `check_only` nothing is written.
    """
    if not 1 <= buckets <= 256:
        raise ValueError(f"there can be 1 to 256 buckets, not {buckets}")
    steps = migrations() if steps is None else steps
    async with _connected(url) as connection:
        if check_only:
            missing = _missing(steps, await _history(connection))
            if missing:
                raise SchemaBehind(missing=", ".join(step.name for step in missing))
            if not await connection.fetchval(_HAS_BUCKETS):
                raise SchemaBehind(missing="its number of buckets")
            return []
        # For the session: it has to outlast each step's transaction.
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        await _begin_history(connection)
        missing = _missing(steps, await _history(connection))
        for step in missing:
            await _take(connection, step)
        await _choose_buckets(connection, buckets)
        return [step.name for step in missing]


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of its own; what it has locked is free again when it ends."""
    with outages_told():
        connection = await asyncpg.connect(url, server_settings={"application_name": "turnlog"})
        try:
            version = connection.get_server_version().major
            if version < OLDEST_SERVER:
                raise ServerTooOld(version=version, oldest=OLDEST_SERVER)
            yield connection
        finally:
            await connection.close()


async def _begin_history(connection: asyncpg.Connection) -> None:
    if not await connection.fetchval(_HAS_HISTORY):
        await connection.execute(_CREATE_HISTORY)
        await connection.execute(_DESCRIBE_HISTORY)


async def _history(connection: asyncpg.Connection) -> list[tuple[int, str, str]]:
    if not await connection.fetchval(_HAS_HISTORY):
        return []
    return [tuple(row) for row in await connection.fetch(_READ_HISTORY)]


def _missing(steps: Sequence[Migration], history: list[tuple[int, str, str]]) -> list[Migration]:
    known = {step.version: step for step in steps}
    for version, name, checksum in history:
        step = known.pop(version, None)
        if step is None:
            raise SchemaTooNew(name=name)
        if step.checksum != checksum:
            raise SchemaAltered(name=name)
    return list(known.values())


async def _take(connection: asyncpg.Connection, step: Migration) -> None:
    record = (step.version, step.name, step.checksum)
    if step.sql.startswith(ALONE):
        await connection.execute(step.sql)
        await connection.execute(_WRITE_HISTORY, *record)
        return
    async with connection.transaction():
        await connection.execute(step.sql)
        await connection.execute(_WRITE_HISTORY, *record)


async def _choose_buckets(connection: asyncpg.Connection, buckets: int) -> None:
    async with connection.transaction():
        if not await connection.fetchval(_HAS_BUCKETS):
            await connection.execute(_CHOOSE_BUCKETS, buckets)
            await connection.execute(_BEGIN_FEEDS, buckets)
