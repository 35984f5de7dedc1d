"""A short run of chaos; `make chaos` makes longer ones, with other seeds."""

from __future__ import annotations

import io
import logging
import shutil
import tempfile
from pathlib import Path

import pytest
from rich.console import Console

from tests.chaos.report import keep, tell
from tests.chaos.run import run
from tests.chaos.world import Options

# In these seconds nodes are killed, stopped, frozen and shut out, and the database is killed.
SHORT = Options(seed=175, seconds=9.0, conversations=5)


async def test_every_promise_is_kept_while_everything_breaks(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.CRITICAL, "aiohttp.server")
    folder = Path(tempfile.mkdtemp(prefix="turnlog-chaos-"))
    try:
        outcome = await run(SHORT, folder / "data", lambda diary, phase: None)
    finally:
        shutil.rmtree(folder / "data", ignore_errors=True)
    if outcome.right:
        shutil.rmtree(folder)
        return
    keep(outcome, folder)
    told = io.StringIO()
    tell(outcome, Console(file=told, width=200))
    pytest.fail(f"{told.getvalue()}\nThe logs, and what each process said: {folder}")
