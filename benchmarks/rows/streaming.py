"""Turns at once, 50 chunks a second each, from a local upstream, each with one subscriber.

How many until the p99 from chunk to subscriber passes 25 ms (in the middle one of
half-seconds, by their p99): with the subscribers on the node that runs the turns, then on
another, and through a bare proxy of the same SDK. All take each step of the ladder in the
same minute; whoever misses it, twice, is out.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import quote

from msgspec import Struct

from benchmarks.apparatus.bench import Bench, Database
from benchmarks.apparatus.clients import Client, client, each
from benchmarks.apparatus.figures import Figure, ms, us
from benchmarks.apparatus.programs import program
from benchmarks.apparatus.readers import Readers, readers
from benchmarks.apparatus.servers import Node, node
from benchmarks.apparatus.upstream import Upstream, play, upstream

RATE = 50
LATEST = 0.025
WHOLE = 0.95  # of the chunks that are due: less, and it only falls behind more slowly
TRIES = 2
LADDER = (5, 10, 15, 20, 30, 40, 50, 60, 80, 100, 120, 150, 180, 220, 270, 330, 400, 500)
FOREVER = 100_000


class Size(Struct, frozen=True):
    """The steps, and how long each is looked at."""

    ladder: tuple[int, ...]
    seconds: float


FULL = Size(ladder=LADDER, seconds=3.5)
SMALL = Size(ladder=(2,), seconds=0.3)


class Step(Struct, frozen=True):
    """What a contender did with so many turns. Times in seconds, costs in seconds a chunk."""

    turns: int
    p50: float
    p99: float
    p99_of_all: float
    whole: float
    server: float
    database: float
    load: float

    @property
    def held(self) -> bool:
        """Whether it kept up, and in time."""
        return self.p99 <= LATEST and self.whole >= WHOLE


class Contender(Struct, kw_only=True):
    """One who streams: `begin` so many turns, and `finish` them."""

    name: str
    begin: Callable[[int], Awaitable[None]]
    finish: Callable[[], Awaitable[None]]
    server: Callable[[], float]
    database: Callable[[], float]
    steps: list[Step] = []
    out: bool = False

    @property
    def most(self) -> int:
        """The most turns that it held."""
        return max((step.turns for step in self.steps if step.held), default=0)

    @property
    def best(self) -> Step:
        """How that was, or the first step if it held none."""
        held = [step for step in self.steps if step.turns == self.most and step.held]
        return held[-1] if held else self.steps[0]


async def measure(bench: Bench) -> list[Figure]:
    """The ladder, by turns."""
    size = SMALL if bench.small else FULL
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        provider, crowd = await enter(upstream()), await enter(readers())
        database = await enter(bench.database())
        runs, other = await enter(_node(database, provider)), await enter(_node(database, provider))
        contenders = [
            _turnlog("same node", crowd, database, runs, runs),
            _turnlog("another node", crowd, database, runs, other),
            await enter(_proxy(crowd, provider)),
        ]
        for turns in size.ladder:
            for contender in contenders:
                for _ in range(TRIES):
                    if not contender.out:
                        bench.say(f"{turns} turns, {contender.name}")
                        step = await _step(bench, contender, crowd, provider, turns)
                        contender.steps.append(step)
                        if step.held:
                            break
                contender.out = contender.most < turns
            if all(contender.out for contender in contenders):
                break
    return [_figure(contender, contenders[-1]) for contender in contenders[:-1]]


async def _step(
    bench: Bench, contender: Contender, crowd: Readers, provider: Upstream, turns: int
) -> Step:
    seconds = (SMALL if bench.small else FULL).seconds
    await contender.begin(turns)
    await bench.settle(1.0)
    await crowd.reset()
    began, server, database = time.perf_counter(), contender.server(), contender.database()
    load = crowd.processor_seconds() + provider.processor_seconds()
    await asyncio.sleep(seconds)
    seen = await crowd.report()
    passed = time.perf_counter() - began
    server, database = contender.server() - server, contender.database() - database
    load = crowd.processor_seconds() + provider.processor_seconds() - load
    await crowd.close()
    await contender.finish()
    chunks = max(1, seen["stamps"])
    return Step(
        turns=turns,
        p50=seen["p50"] or passed,
        p99=seen["p99"] or passed,
        p99_of_all=seen["p99_of_all"] or passed,
        whole=chunks / (turns * RATE * passed),
        server=server / chunks,
        database=database / chunks,
        load=load / passed,
    )


@asynccontextmanager
async def _node(database: Database, provider: Upstream) -> AsyncIterator[tuple[Node, Client]]:
    async with node(database, provider.env) as server, client(server.api) as talker:
        yield server, talker


def _turnlog(
    name: str,
    crowd: Readers,
    database: Database,
    runs: tuple[Node, Client],
    shows: tuple[Node, Client],
) -> Contender:
    """The turns run on one node, and are followed on one."""
    (running, talker), (showing, _) = runs, shows
    turns: list[str] = []

    async def begin(number: int) -> None:
        logs = await each(range(number), lambda _: talker.create())
        message = play(FOREVER, RATE, stamped=True)
        turns.extend(await each(logs, lambda log: talker.say(log, message)))
        paths = [f"/api/v1/turns/{turn}/stream-events" for turn in turns]
        await crowd.open(shows[1].root, paths)

    async def finish() -> None:
        await each(turns, talker.cancel)
        await each(turns, talker.ended)
        turns.clear()

    def server() -> float:
        return sum(
            one.processor_seconds() for one in {running.pid: running, showing.pid: showing}.values()
        )

    return Contender(
        name=name, begin=begin, finish=finish, server=server, database=database.processor_seconds
    )


@asynccontextmanager
async def _proxy(crowd: Readers, provider: Upstream) -> AsyncIterator[Contender]:
    async with program("benchmarks.yardsticks.proxy", provider.url) as running:
        path = f"/stream?message={quote(play(FOREVER, RATE, stamped=True))}"

        async def begin(number: int) -> None:
            await crowd.open(f"http://127.0.0.1:{running.first}", [path] * number)

        async def finish() -> None:
            await asyncio.sleep(0.2)

        yield Contender(
            name="bare proxy",
            begin=begin,
            finish=finish,
            server=running.processor_seconds,
            database=lambda: 0.0,
        )


def _figure(ours: Contender, proxy: Contender) -> Figure:
    ratio = ours.most / max(1, proxy.most)
    best, theirs = ours.best, proxy.best
    return Figure(
        what="streaming",
        work=f"turns at once, {RATE} chunks/s each, subscribers on {ours.name}, "
        f"until p99 > {ms(LATEST)}",
        yardstick=f"a bare proxy of the SDK, no store: {proxy.most} turns, "
        f"{us(theirs.server)} a chunk",
        aim="≥ 1.0 × its number",
        reached=f"{ratio:.2f} × ({ours.most} turns; {us(best.server)} server + "
        f"{us(best.database)} database a chunk)",
        held=ratio >= 1.0,
        details={
            "steps": [_told(step) for step in ours.steps],
            "proxy_steps": [_told(step) for step in proxy.steps],
            "load_share_of_a_core": round(max(s.load for s in ours.steps + proxy.steps), 3),
        },
    )


def _told(step: Step) -> str:
    return (
        f"{step.turns} turns: p50 {ms(step.p50)}, p99 {ms(step.p99)} "
        f"({ms(step.p99_of_all)} with stalls), {step.whole:.0%} of the "
        f"chunks, {us(step.server)} + {us(step.database)} a chunk"
    )
