"""One PostgreSQL for the whole run, and a database of its own for every test that asks."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest

from turnlog.adapters.embedded import running_postgres
from turnlog.adapters.postgres import migrate

T = TypeVar("T")

# A crash of the machine in the middle of a test run may cost the test run its data.
QUICK_SETTINGS = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "128MB"}


@pytest.fixture(scope="session")
def server_url(testrun_uid: str) -> Iterator[str]:
    """A PostgreSQL that tests may fill: TURNLOG_TEST_DATABASE_URL, else an embedded one.

    The processes of `pytest -n` share it; the last one to leave stops and removes it.
    """
    if own_server := os.environ.get("TURNLOG_TEST_DATABASE_URL"):
        yield own_server
        return
    data_dir = Path(tempfile.gettempdir()) / f"turnlog-tests-{testrun_uid[:12]}"
    with running_postgres(data_dir, QUICK_SETTINGS) as url:
        yield url
    if not (data_dir / "postgres" / "postmaster.pid").exists():
        shutil.rmtree(data_dir, ignore_errors=True)


@pytest.fixture(scope="session")
def template_database(server_url: str) -> Iterator[str]:
    """The name of a database that holds what every test's database begins with."""
    name = create_database(server_url)
    in_a_loop(fill_template(with_database(server_url, name)))
    yield name
    drop_database(server_url, name)


async def fill_template(url: str) -> None:
    """Migrate the template. Nobody may be connected to it when this returns."""
    await migrate(url)


@pytest.fixture
def database_url(server_url: str, template_database: str) -> Iterator[str]:
    """A fresh database, dropped after the test even if somebody is still connected."""
    name = create_database(server_url, template=template_database)
    yield with_database(server_url, name)
    drop_database(server_url, name)


def create_database(server_url: str, template: str = "template0") -> str:
    name = f"turnlog_test_{uuid4().hex[:16]}"
    in_a_loop(_execute(server_url, f"CREATE DATABASE {name} TEMPLATE {template}"))
    return name


def drop_database(server_url: str, name: str) -> None:
    in_a_loop(_execute(server_url, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))


def with_database(server_url: str, name: str) -> str:
    return urlsplit(server_url)._replace(path=f"/{name}").geturl()


def in_a_loop(coroutine: Coroutine[object, object, T]) -> T:
    """Run it in a loop of its own, in a thread: fixtures are sync, so that any scope will do."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
