"""The embedded PostgreSQL, started for real: what it survives, and what it says when it cannot."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
import pytest
from structlog.testing import capture_logs

from turnlog.adapters.embedded import (
    EmbeddedPostgresFailed,
    cluster,
    embedded_postgres,
    running_postgres,
    watching,
)
from turnlog.adapters.embedded.postmaster import Postmaster, find_postmaster

PATIENCE = 60.0  # seconds; nothing here takes so long unless it fails
USE_AND_WAIT = """
import sys, pathlib
from turnlog.adapters.embedded import running_postgres
with running_postgres(pathlib.Path(sys.argv[1])) as url:
    print(url, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not `tmp_path`: pytest shuts that to other accounts, ever again, and we may be root."""
    with TemporaryDirectory(prefix="turnlog-test-", ignore_cleanup_errors=True) as name:
        yield Path(name)


@pytest.fixture
def data_dir(folder: Path) -> Path:
    return folder / "data"


async def test_what_was_written_is_there_after_a_stop_and_a_start(data_dir: Path) -> None:
    async with embedded_postgres(data_dir) as url:
        await write(url, "kept")
    assert postmaster_of(data_dir) is None
    async with embedded_postgres(data_dir) as url:
        assert await read(url) == ["kept"]


async def test_what_was_written_survives_the_killing_of_the_server(data_dir: Path) -> None:
    async with embedded_postgres(data_dir) as url:
        await write(url, "kept")
        kill(data_dir)
    async with embedded_postgres(data_dir) as url:
        assert await read(url) == ["kept"]


async def test_a_server_that_ends_is_started_again_under_its_users(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "WATCH_SECONDS", 0.01)
    async with embedded_postgres(data_dir) as url, embedded_postgres(data_dir) as second:
        await write(url, "kept")
        for end in (kill, quit_fast):
            before = postmaster_of(data_dir)
            end(data_dir)
            await until(lambda: is_there(data_dir))
            assert postmaster_of(data_dir) != before
            assert await read(second) == ["kept"]
    assert postmaster_of(data_dir) is None


async def test_a_server_that_cannot_be_started_again_is_tried_until_it_can(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "WATCH_SECONDS", 0.01)
    async with embedded_postgres(data_dir) as url:
        await write(url, "kept")
        control = data_dir / "postgres" / "global" / "pg_control"
        with capture_logs() as told:
            away = control.rename(control.with_name("pg_control.away"))
            kill(data_dir)
            await until(lambda: "embedded_postgres.not_started" in {one["event"] for one in told})
        away.rename(control)
        await until(lambda: is_there(data_dir))
        assert await read(url) == ["kept"]


async def test_a_server_killed_under_a_busy_client_can_be_started_at_once(data_dir: Path) -> None:
    async with embedded_postgres(data_dir) as url:
        await write(url, "kept")
        client = await asyncpg.connect(url)
        busy = asyncio.create_task(client.fetch(WORK_FOR_MINUTES))
        await until_active(url)
        kill(data_dir)
    async with embedded_postgres(data_dir) as url:
        assert await read(url) == ["kept"]
    with pytest.raises(asyncpg.PostgresConnectionError):
        await busy


def test_a_killed_process_leaves_a_server_that_the_next_one_joins(data_dir: Path) -> None:
    command = [sys.executable, "-c", USE_AND_WAIT, str(data_dir)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as killed:
        assert killed.stdout is not None
        assert any(line.startswith(b"postgresql:") for line in killed.stdout)
        before = postmaster_of(data_dir)
        killed.kill()
    with running_postgres(data_dir):
        assert postmaster_of(data_dir) == before
    assert postmaster_of(data_dir) is None


def test_the_last_of_several_users_stops_the_server(data_dir: Path) -> None:
    with running_postgres(data_dir) as first:
        with running_postgres(data_dir) as second:
            assert first == second
        assert postmaster_of(data_dir) is not None
    assert postmaster_of(data_dir) is None


async def test_a_start_that_is_given_up_leaves_no_server(data_dir: Path) -> None:
    async def use() -> None:
        async with embedded_postgres(data_dir):
            raise AssertionError("it was given up before")

    user = asyncio.create_task(use())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    user.cancel()
    with pytest.raises(asyncio.CancelledError):
        await user
    assert (data_dir / "postgres").exists()
    assert postmaster_of(data_dir) is None


def test_a_pid_file_that_names_some_other_process_is_overcome(data_dir: Path) -> None:
    with running_postgres(data_dir):
        pass
    left_behind = (
        f"{os.getpid()}\n{data_dir}/postgres\n1\n5432\n{data_dir}/postgres\n\n0 0\nready\n"
    )
    (data_dir / "postgres" / "postmaster.pid").write_text(left_behind)
    with running_postgres(data_dir):
        found = postmaster_of(data_dir)
        assert found is not None
        assert found.pid != os.getpid()


def test_a_folder_whose_making_was_interrupted_is_made_anew(data_dir: Path) -> None:
    unfinished = data_dir / "postgres.new"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18")
    with running_postgres(data_dir):
        assert not unfinished.exists()


@pytest.mark.parametrize("name", ["with spaces", "a,b", "$(false)\"'", "long" * 40, "größe"])
async def test_any_path_will_do(folder: Path, name: str) -> None:
    async with embedded_postgres(folder / name) as url:
        await write(url, "kept")
        assert await read(url) == ["kept"]


async def test_it_is_durable_unless_told_otherwise(data_dir: Path) -> None:
    async with embedded_postgres(data_dir) as url:
        durable = ["fsync", "synchronous_commit", "full_page_writes", "data_checksums"]
        assert [await show(url, name) for name in durable] == ["on", "on", "on", "on"]
        assert await show(url, "listen_addresses") == ""
        assert await show(url, "server_encoding") == "UTF8"
    async with embedded_postgres(data_dir, {"fsync": "off"}) as url:
        assert await show(url, "fsync") == "off"


def test_a_folder_whose_users_cannot_be_seen_is_left_alone(data_dir: Path) -> None:
    with running_postgres(data_dir):
        kill(data_dir)
        with pytest.raises(EmbeddedPostgresFailed, match="others use"), running_postgres(data_dir):
            pass


def test_a_server_that_does_not_start_says_why(data_dir: Path) -> None:
    with (
        pytest.raises(EmbeddedPostgresFailed, match='parameter "max_connections"'),
        running_postgres(data_dir, {"max_connections": "many"}),
    ):
        pass


def test_without_the_wheel_one_is_told_what_to_do(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "find_spec", lambda _name: None)
    with (
        pytest.raises(EmbeddedPostgresFailed, match=r"turnlog\[embedded\].*TURNLOG_DATABASE_URL"),
        running_postgres(data_dir),
    ):
        pass


WORK_FOR_MINUTES = "SELECT count(*) FROM generate_series(1, 1000000000) AS g WHERE g % 7 = 1"


def postmaster_of(data_dir: Path) -> Postmaster | None:
    return find_postmaster(data_dir / "postgres")


def kill(data_dir: Path) -> None:
    postmaster = postmaster_of(data_dir)
    assert postmaster is not None
    os.kill(postmaster.pid, signal.SIGKILL)
    while postmaster_of(data_dir) is not None:
        pass


def quit_fast(data_dir: Path) -> None:
    """End it as its owner would."""
    postmaster = postmaster_of(data_dir)
    assert postmaster is not None
    os.kill(postmaster.pid, signal.SIGINT)
    while postmaster_of(data_dir) == postmaster:
        pass


async def until(condition: Callable[[], bool]) -> None:
    """Let other threads and processes go on until it is so."""

    def wait() -> None:
        while not condition():
            pass

    async with asyncio.timeout(PATIENCE):
        await asyncio.to_thread(wait)


def is_there(data_dir: Path) -> bool:
    """Whether somebody has started it."""
    postmaster = postmaster_of(data_dir)
    return postmaster is not None and postmaster.ready


async def write(url: str, text: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE TABLE IF NOT EXISTS notes (text text)")
    await connection.execute("INSERT INTO notes VALUES ($1)", text)
    await connection.close()


async def read(url: str) -> list[str]:
    connection = await asyncpg.connect(url)
    notes = await connection.fetch("SELECT text FROM notes")
    await connection.close()
    return [note["text"] for note in notes]


async def show(url: str, name: str) -> str:
    connection = await asyncpg.connect(url)
    value: str = await connection.fetchval("SELECT current_setting($1)", name)
    await connection.close()
    return value


async def until_active(url: str) -> None:
    """Wait until the long statement is under way."""
    connection = await asyncpg.connect(url)
    others = "SELECT 1 FROM pg_stat_activity WHERE query = $1 AND state = 'active'"
    while await connection.fetchval(others, WORK_FOR_MINUTES) is None:
        pass
    await connection.close()
