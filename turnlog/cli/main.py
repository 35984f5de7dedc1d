"""The commands, and the codes with which they end."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import uvloop
from cyclopts import App, Parameter
from rich.console import Console

from turnlog import __version__
from turnlog.bootstrap import SchemaRefused
from turnlog.cli.serving import serve_node
from turnlog.config import BadSettings, load_settings
from turnlog.domain.errors import StoreUnavailable

BAD_SETTINGS = 2
NO_DATABASE = 3

app = App(
    name="turnlog",
    help="A server for conversations with AI agents whose log is the record.",
    version=__version__,
)


@app.command
def serve(
    *,
    host: str | None = None,
    port: int | None = None,
    data_dir: Path | None = None,
    database_url: str | None = None,
    workers: int | None = None,
    ephemeral: Annotated[bool | None, Parameter(negative="")] = None,
) -> None:
    """Run the server; settings may also stand in the environment and in .env.

    Parameters
    ----------
    host
        The address to listen on (127.0.0.1).
    port
        The port to listen on (8470); 0 takes a free one.
    data_dir
        Where the embedded database lives (~/.local/share/turnlog).
    database_url
        A PostgreSQL server to use instead of the embedded one.
    workers
        How many processes to run (1).
    ephemeral
        Keep everything in memory, and lose it at the end.
    """
    flags: dict[str, object] = {
        "host": host,
        "port": port,
        "data_dir": data_dir,
        "database_url": database_url,
        "workers": workers,
        "ephemeral": ephemeral,
    }
    try:
        settings = load_settings(flags)
        uvloop.run(serve_node(settings))
    except BadSettings as bad:
        _say("turnlog cannot start with these settings:", *bad.faults)
        sys.exit(BAD_SETTINGS)
    except (StoreUnavailable, SchemaRefused) as refused:
        _say("turnlog has no database:", str(refused))
        sys.exit(NO_DATABASE)


def main() -> None:
    """Run the command line."""
    app()


def _say(*lines: str) -> None:
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    for number, line in enumerate(lines):
        console.print(line if number == 0 else f"  {line}", markup=False)
