"""Commands that work on the database of servers, beside them."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop

from turnlog.bootstrap import open_node
from turnlog.cli.codes import code_of
from turnlog.cli.logs import configure_logs
from turnlog.config import BadSettings, load_settings
from turnlog.runtime.application import Turnlog

FAILED = 1

Work = Callable[[Turnlog], Awaitable[int]]
"""What a command does with a node that is not at work; its exit code."""


def run_beside(work: Work, database_url: str | None, data_dir: Path | None) -> None:
    """Do it on the database that the settings and these flags name, and exit."""
    flags: dict[str, object] = {"database_url": database_url, "data_dir": data_dir}

    def run() -> int:
        settings = load_settings(flags)
        if settings.ephemeral:
            raise BadSettings(["TURNLOG_EPHEMERAL is set: what is in memory has no other process."])
        configure_logs(settings.log_format)

        async def opened() -> int:
            async with open_node(settings) as turnlog:
                return await work(turnlog)

        return uvloop.run(opened())

    sys.exit(code_of(run))
