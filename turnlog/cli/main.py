"""The commands."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from turnlog import __version__
from turnlog.cli.codes import code_of
from turnlog.cli.projections import projections_app
from turnlog.cli.serving import run_server
from turnlog.cli.webhooks import webhooks_app
from turnlog.config import load_settings

app = App(
    name="turnlog",
    help="A server for conversations with AI agents whose log is the record.",
    version=__version__,
)


app.command(projections_app)
app.command(webhooks_app)


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
    sys.exit(code_of(lambda: run_server(load_settings(flags))))


def main() -> None:
    """Run the command line."""
    app()
