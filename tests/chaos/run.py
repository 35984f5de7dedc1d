"""One run: everything is started, broken for a while, left to settle, and looked at."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import psutil
from msgspec import Struct

from tests.chaos.answerers import Answerer
from tests.chaos.checks import Evidence, Verdict, verdicts
from tests.chaos.diary import Diary
from tests.chaos.figures import Spans, cancellings, processes, takeovers, zombies
from tests.chaos.grammar import parsed
from tests.chaos.logs import TURNS, Log, logs
from tests.chaos.model import token_of
from tests.chaos.monkeys import Monkeys
from tests.chaos.nodes import Life, now
from tests.chaos.plan import plan
from tests.chaos.settling import settle, stop
from tests.chaos.talkers import Talker
from tests.chaos.world import ANSWERERS, Options, World, effects_of, open_world
from turnlog.adapters.embedded.postmaster import find_postmaster


class Outcome(Struct, kw_only=True):
    """What came of it."""

    options: Options
    verdicts: list[Verdict]
    spans: list[Spans]
    diary: Diary
    logs: dict[str, Log]
    lives: list[list[Life]]
    settled_in: float

    @property
    def right(self) -> bool:
        """Whether every promise was kept."""
        return not any(verdict.faults for verdict in self.verdicts)


async def run(options: Options, folder: Path, show: Callable[[Diary, str], None]) -> Outcome:
    """A run in a folder of its own; `show` is called with what is going on, now and then."""
    diary = Diary()
    left_over: list[str] = []
    async with AsyncExitStack() as stack:
        show(diary, "starting")
        world = await stack.enter_async_context(open_world(options, folder, diary))
        watching = [
            asyncio.create_task(_watch_hangups(world)),
            asyncio.create_task(_keep_showing(diary, show)),
        ]
        answering = [
            asyncio.create_task(Answerer(world.caller(f"answerer {number}")).answer())
            for number in range(ANSWERERS)
        ]
        await _break_everything(world)
        diary.phase = "settling"
        began = time.monotonic()
        left_over += await settle(world)
        settled_in = time.monotonic() - began
        for task in watching:
            task.cancel()
        await asyncio.wait(watching)
        await _stop(answering)
        for reader in world.readers:
            await reader.stop()
        show(diary, "stopping")
        left_over += await stop(world)
        show(diary, "checking")
        found = await logs(world.database)
        views = {str(row["turn_id"]): row["status"] for row in await world.database.rows(TURNS)}
        violations = list(world.upstream.violations)
    lives = [node.lives for node in world.nodes]
    every_life = list(itertools.chain(*lives))
    left_over += [f"process {life.pid}" for life in every_life if psutil.pid_exists(life.pid)]
    if find_postmaster(folder / "postgres") is not None:
        left_over.append("PostgreSQL")
    read = {key: parsed(log) for key, log in found.items()}
    spans = [
        *takeovers(diary, found, every_life),
        *cancellings(diary, found),
        zombies(diary, read, world.model.spoke),
    ]
    effects = effects_of(folder)
    evidence = Evidence(
        diary=diary,
        logs=found,
        told=world.model.told,
        violations=violations,
        lives=every_life,
        views=views,
        left_over=left_over,
        parsed=read,
        spans=spans,
        effects=Counter(effects.read_text().split()) if effects.exists() else {},
    )
    return Outcome(
        options=options,
        verdicts=verdicts(evidence),
        spans=[*spans, *processes(every_life)],
        diary=diary,
        logs=found,
        lives=lives,
        settled_in=settled_in,
    )


async def _break_everything(world: World) -> None:
    options, diary = world.options, world.diary
    tokens = itertools.count(1)
    talking = [
        asyncio.create_task(Talker(world.caller(f"talker {number}"), tokens, world).talk())
        for number in range(options.conversations)
    ]
    acts = plan(
        options.seed,
        seconds=options.seconds,
        nodes=options.nodes,
        node_timeout=options.node_timeout,
    )
    diary.phase = "breaking"
    try:
        await Monkeys(world.nodes, world.database, diary).carry_out(acts, options.seconds)
    finally:
        world.model.calm = True
        await _stop(talking)


async def _stop(clients: list[asyncio.Task[None]]) -> None:
    """Cancel them; raises what has failed."""
    for task in clients:
        task.cancel()
    for ended in await asyncio.gather(*clients, return_exceptions=True):
        if isinstance(ended, Exception):
            raise ended


async def _watch_hangups(world: World) -> None:
    upstream, noted = world.upstream, world.diary.hangups
    while True:
        await upstream.until(lambda it: len(it.hangups) > len(noted))
        for recorded in upstream.hangups[len(noted) :]:
            noted.append((now(), token_of(recorded.body)))


async def _keep_showing(diary: Diary, show: Callable[[Diary, str], None]) -> None:
    while True:
        show(diary, diary.phase)
        await asyncio.sleep(0.25)
