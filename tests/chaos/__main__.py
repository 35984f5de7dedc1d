"""`make chaos`: break everything for a while, and see whether the promises hold."""

from __future__ import annotations

import logging
import random
import shutil
import sys
import tempfile
from pathlib import Path

import uvloop
from cyclopts import App
from rich.console import Console

from tests.chaos.report import Progress, keep, tell
from tests.chaos.run import run
from tests.chaos.world import Options

app = App(name="python -m tests.chaos", help=__doc__)


@app.default
def chaos(
    *,
    seconds: float = 60.0,
    seed: int | None = None,
    nodes: int = 3,
    conversations: int = 6,
    node_timeout: float = 2.0,
    keep_all: bool = False,
) -> None:
    """Kill, freeze, cut and crash, while conversations go on; then check what came of them.

    Parameters
    ----------
    seconds
        For how long things break.
    seed
        What breaks, and when, is a function of it; a random one unless given.
    nodes
        How many server processes there are.
    conversations
        How many go on at once.
    node_timeout
        After how many seconds of silence a node counts as lost.
    keep_all
        Keep the logs even if nothing was broken.
    """
    console = Console(soft_wrap=True)
    # Of clients that are gone; and what our own processes say is looked at in the end.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    seed = random.SystemRandom().randrange(10**6) if seed is None else seed
    options = Options(
        seed=seed,
        seconds=seconds,
        nodes=nodes,
        conversations=conversations,
        node_timeout=node_timeout,
    )
    folder = Path(tempfile.mkdtemp(prefix="turnlog-chaos-"))
    progress = Progress(console, seconds)
    try:
        outcome = uvloop.run(run(options, folder / "data", progress.show))
    finally:
        progress.stop()
        shutil.rmtree(folder / "data", ignore_errors=True)
    tell(outcome, console)
    if outcome.right and not keep_all:
        shutil.rmtree(folder)
        return
    keep(outcome, folder)
    console.print(f"The logs, what each process said, and what was done when: {folder}")
    if not outcome.right:
        again = f"--seed {seed} --seconds {seconds:g} --nodes {nodes}"
        console.print(f'The same plan again: make chaos ARGS="{again}"')
        sys.exit(1)


app()
