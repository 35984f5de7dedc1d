"""`make bench`: measure every row of the table, or those that are named."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import uvloop
from cyclopts import App, Parameter
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from benchmarks.apparatus.bench import Bench
from benchmarks.apparatus.figures import Figure
from benchmarks.apparatus.servers import allow_files
from benchmarks.machine import machine
from benchmarks.results import HEAD, Row, cells, keep, read
from benchmarks.rows import ROWS
from turnlog.adapters.embedded import embedded_postgres

HERE = Path(__file__).parent

app = App(name="python -m benchmarks", help=__doc__)


@app.default
def bench(
    *rows: str,
    small: bool = False,
    into: Annotated[Path, Parameter(show_default=False)] = HERE,
    database_url: str | None = None,
) -> None:
    """Measure side by side, print a table, and keep it in RESULTS.md and results.json.

    Parameters
    ----------
    rows
        Which rows; all unless named. What is kept of the others stays.
    small
        Only see that all of it runs: the figures mean nothing.
    into
        The folder of RESULTS.md and results.json; this one's unless told.
    database_url
        A PostgreSQL of this machine, whose superuser makes databases in it; one is started
        unless told.
    """
    console = Console()
    unknown = [name for name in rows if name not in ROWS]
    if unknown:
        console.print(f"There is no row {', '.join(unknown)}; there are: {', '.join(ROWS)}.")
        sys.exit(2)
    allow_files()
    folder = Path(tempfile.mkdtemp(prefix="turnlog-bench-"))
    folder.chmod(0o755)
    try:
        uvloop.run(_run(list(rows or ROWS), small, into, folder, database_url, console))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _run(
    names: list[str],
    small: bool,
    into: Path,
    folder: Path,
    database_url: str | None,
    console: Console,
) -> None:
    results = read(into)
    failed: dict[str, Exception] = {}
    async with AsyncExitStack() as stack:
        url = database_url
        if url is None:
            url = await stack.enter_async_context(embedded_postgres(folder / "data"))
        progress = stack.enter_context(_progress(console))
        task = progress.add_task("", total=len(names), said="")
        for name in names:
            progress.update(task, description=name, said="")
            about = await machine(url, folder)
            began = time.perf_counter()
            given = Bench(server_url=url, folder=folder, small=small, say=_sayer(progress, task))
            try:
                figures = await ROWS[name](given)
            except Exception as error:
                failed[name] = error
                console.print_exception()
            else:
                results.rows[name] = Row(
                    date=f"{datetime.now(UTC):%Y-%m-%d %H:%M}",
                    machine=about,
                    seconds=round(time.perf_counter() - began, 1),
                    figures=figures,
                )
                keep(into, results, list(ROWS))
                console.print(_table(figures))
            progress.advance(task)
    console.print(f"Kept in {into / 'RESULTS.md'}")
    if failed:
        console.print(f"Not measured: {', '.join(failed)}")
        sys.exit(1)


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
        TimeElapsedColumn(), TextColumn("{task.fields[said]}"),
        console=console, transient=True,
    )  # fmt: skip


def _sayer(progress: Progress, task: TaskID) -> Callable[[str], None]:
    def say(words: str) -> None:
        progress.update(task, said=words)

    return say


def _table(figures: list[Figure]) -> Table:
    table = Table(*HEAD, expand=True)
    for figure in figures:
        colour = {True: "green", False: "yellow", None: "dim"}[figure.held]
        table.add_row(*cells(figure), style=colour)
    return table


app()
