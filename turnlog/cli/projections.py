"""`turnlog projections`: how they stand, building them anew, and trying again."""

from __future__ import annotations

from pathlib import Path

from cyclopts import App
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from turnlog.cli.beside import FAILED, Work, run_beside
from turnlog.domain.errors import NotFound, ProjectionStopped
from turnlog.domain.records import Checkpoint
from turnlog.runtime.application import Turnlog
from turnlog.runtime.projectors import behind
from turnlog.runtime.rebuilding import INLINE, rebuild

projections_app = App(name="projections", help="What is derived from the log.")


@projections_app.command(name="list")
def show(*, database_url: str | None = None, data_dir: Path | None = None) -> None:
    """Show how far each projection has come, and where one has stopped.

    Parameters
    ----------
    database_url
        A PostgreSQL server to use instead of the embedded one.
    data_dir
        Where the embedded database lives (~/.local/share/turnlog).
    """
    _run(_list, database_url, data_dir)


@projections_app.command(name="rebuild")
def build(name: str, *, database_url: str | None = None, data_dir: Path | None = None) -> None:
    """Build a projection anew from the log; servers may go on meanwhile.

    Parameters
    ----------
    name
        One that `turnlog projections list` shows.
    database_url
        A PostgreSQL server to use instead of the embedded one.
    data_dir
        Where the embedded database lives (~/.local/share/turnlog).
    """
    _run(lambda turnlog: _rebuild(turnlog, name), database_url, data_dir)


@projections_app.command
def resume(name: str, *, database_url: str | None = None, data_dir: Path | None = None) -> None:
    """Let a projection that has stopped try the same event again.

    Parameters
    ----------
    name
        One that `turnlog projections list` shows as stopped.
    database_url
        A PostgreSQL server to use instead of the embedded one.
    data_dir
        Where the embedded database lives (~/.local/share/turnlog).
    """
    _run(lambda turnlog: _resume(turnlog, name), database_url, data_dir)


def _run(work: Work, database_url: str | None, data_dir: Path | None) -> None:
    async def told(turnlog: Turnlog) -> int:
        try:
            return await work(turnlog)
        except (NotFound, ProjectionStopped) as refused:
            names = ", ".join([*INLINE, *turnlog.projectors.names()])
            _errors.print(str(refused), markup=False)
            if isinstance(refused, NotFound):
                _errors.print(f"There are: {names}.", markup=False)
            return FAILED

    run_beside(told, database_url, data_dir)


_errors = Console(stderr=True, highlight=False, soft_wrap=True)


async def _list(turnlog: Turnlog) -> int:
    await turnlog.projectors.begin()
    checkpoints = await turnlog.parts.checkpoints.checkpoints()
    lag = behind(checkpoints)
    table = Table("projection", "written", "behind", "state")
    for kind in INLINE:
        table.add_row(kind, "with the events", "0", "current")
    for name in turnlog.projectors.names():
        mine = [one for one in checkpoints if one.projection == name]
        table.add_row(name, "after them", f"{lag.get(name, 0):,}", _state(mine))
    console = Console(highlight=False, soft_wrap=True)
    console.print(table)
    for one in checkpoints:
        if one.stopped_at is not None:
            where = f"{one.projection} stopped in bucket {one.bucket} at position {one.stopped_at}"
            console.print(f"{where}: {one.reason}", markup=False)
            console.print(f"  then: turnlog projections resume {one.projection}", markup=False)
    return 0


def _state(checkpoints: list[Checkpoint]) -> str:
    if any(one.current and one.stopped_at is not None for one in checkpoints):
        return "stopped"
    if any(not one.current for one in checkpoints):
        return "being rebuilt"
    return "current" if not any(one.behind for one in checkpoints) else "following"


async def _rebuild(turnlog: Turnlog, name: str) -> int:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=_errors) as progress:
        bar = progress.add_task(f"rebuilding {name}", total=None)

        def told(done: int, whole: int) -> None:
            progress.update(bar, completed=done, total=whole)

        await rebuild(turnlog.parts, turnlog.projectors, name, told)
    _errors.print(f"{name} is what the log says.", markup=False)
    return 0


async def _resume(turnlog: Turnlog, name: str) -> int:
    if name not in turnlog.projectors:
        raise NotFound(thing="projection that follows the feed", id=name)
    buckets = await turnlog.parts.checkpoints.resume(name)
    if buckets:
        _errors.print(f"{name} tries again, in {buckets} bucket(s).", markup=False)
    else:
        _errors.print(f"{name} has not stopped.", markup=False)
    return 0
