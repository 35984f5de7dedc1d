"""The benchmarks run: tiny, so that their figures mean nothing, and nothing is asked of these."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from benchmarks.results import read
from benchmarks.rows import ROWS

ROOT = Path(__file__).parents[1]

pytestmark = [
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="costs are read from /proc"),
    pytest.mark.skipif(
        "TURNLOG_TEST_DATABASE_URL" in os.environ,
        reason="the processes of the database have to run on this machine",
    ),
]


# Several in one process, which takes a second to import what it needs.
@pytest.mark.parametrize("rows", [list(ROWS)[n::3] for n in range(3)], ids=" ".join)
async def test_rows_are_measured_and_kept(rows: list[str], server_url: str, tmp_path: Path) -> None:
    code, said = await measured(*rows, "--small", "--into", tmp_path, "--database-url", server_url)
    assert code == 0, said
    kept = read(tmp_path)
    assert set(kept.rows) == set(rows)
    table = (tmp_path / "RESULTS.md").read_text("utf-8")
    for row in rows:
        for figure in kept.rows[row].figures:
            assert f"| {figure.what} | {figure.work} | {figure.yardstick} |" in table


async def test_a_row_that_is_not_there_is_named(tmp_path: Path) -> None:
    code, said = await measured("speed", "--into", tmp_path)
    assert code == 2
    assert "speed" in said
    assert "fanout" in said


async def measured(*arguments: object) -> tuple[int | None, str]:
    """The exit code of the benchmarks, and what they said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "benchmarks",
        *map(str, arguments),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode, said.decode()
