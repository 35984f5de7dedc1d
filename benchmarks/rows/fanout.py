"""One conversation, 1,000 subscribers, 50 frames a second: what a delivered frame costs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp
from msgspec import Struct

from benchmarks.apparatus.bench import Bench, Database
from benchmarks.apparatus.clients import client
from benchmarks.apparatus.figures import Figure, median, ms, skipped, us
from benchmarks.apparatus.programs import program
from benchmarks.apparatus.readers import Readers, readers
from benchmarks.apparatus.servers import node
from benchmarks.apparatus.stamps import stamp
from benchmarks.apparatus.upstream import Upstream, play, upstream
from benchmarks.yardsticks.nchan import MISSING, installed, nchan

RATE = 50


class Size(Struct, frozen=True):
    """How many, how long, how often by turns."""

    subscribers: int
    seconds: float
    rounds: int


FULL = Size(subscribers=1000, seconds=5.0, rounds=3)
SMALL = Size(subscribers=20, seconds=0.5, rounds=1)


class Contender(Struct):
    """One who fans out: how it is subscribed to, how it is fed, and what it has cost."""

    name: str
    url: str
    path: str
    feed: Callable[[float], Coroutine[None, None, None]]
    spent: Callable[[], float]
    each: list[float] = []
    p99: list[float] = []
    whole: list[float] = []


async def measure(bench: Bench) -> list[Figure]:
    """Processor time a frame, by turns."""
    size = SMALL if bench.small else FULL
    loads: list[float] = []
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        crowd = await enter(readers())
        provider = await enter(upstream())
        database = await enter(bench.database())
        ours = await enter(_turnlog(database, provider))
        usual = await enter(_usual())
        contenders = [ours, usual]
        if installed():
            contenders.insert(1, await enter(_nchan(bench)))
        for turn in range(size.rounds):
            for contender in contenders:
                bench.say(f"{contender.name}, round {turn + 1} of {size.rounds}")
                loads.append(await _round(contender, crowd, size))
    return _figures(size, contenders, loads)


async def _round(contender: Contender, crowd: Readers, size: Size) -> float:
    """Measure once; the share of a core that the subscribers themselves took."""
    await crowd.open(contender.url, [contender.path] * size.subscribers)
    feeding = asyncio.create_task(contender.feed(size.seconds + 1.0))
    await asyncio.sleep(0.5)  # until it is under way
    await crowd.reset()
    began, spent, own = time.perf_counter(), contender.spent(), crowd.processor_seconds()
    await asyncio.sleep(size.seconds)
    seen = await crowd.report()
    seconds, spent = time.perf_counter() - began, contender.spent() - spent
    own = (crowd.processor_seconds() - own) / seconds
    await feeding
    await crowd.close()
    frames = max(1, seen["frames"])
    contender.whole.append(frames / (RATE * seconds * size.subscribers))
    contender.each.append(spent / frames)
    contender.p99.append(seen["p99"] or 0.0)
    return float(own)


@asynccontextmanager
async def _turnlog(database: Database, provider: Upstream) -> AsyncIterator[Contender]:
    async with node(database, provider.env) as server, client(server.api) as talker:
        conversation = await talker.create()

        async def feed(seconds: float) -> None:
            turn = await talker.say(conversation, play(int(seconds * RATE), RATE, stamped=True))
            await talker.ended(turn)

        path = f"/api/v1/conversations/{conversation}/events?after=latest"
        yield Contender("turnlog", talker.root, path, feed, server.processor_seconds)


@asynccontextmanager
async def _nchan(bench: Bench) -> AsyncIterator[Contender]:
    async with nchan(bench.folder / "nchan") as server, aiohttp.ClientSession() as http:
        feed = _publisher(http, f"{server.url}/pub?id=fanout")
        yield Contender("nchan", server.url, "/sub?id=fanout", feed, server.processor_seconds)


@asynccontextmanager
async def _usual() -> AsyncIterator[Contender]:
    async with program("benchmarks.yardsticks.usual") as running, aiohttp.ClientSession() as http:
        url = f"http://127.0.0.1:{running.first}"
        feed = _publisher(http, f"{url}/pub")
        yield Contender("usual", url, "/sub", feed, running.processor_seconds)


def _publisher(
    http: aiohttp.ClientSession, url: str
) -> Callable[[float], Coroutine[None, None, None]]:
    async def feed(seconds: float) -> None:
        began = time.perf_counter()
        for number in range(int(seconds * RATE)):
            await asyncio.sleep(max(0.0, began + number / RATE - time.perf_counter()))
            message = f'{{"type":"message.delta","item":12,"delta":"{stamp()}"}}'
            async with http.post(url, data=message.encode()) as answer:
                answer.raise_for_status()

    return feed


def _figures(size: Size, contenders: list[Contender], loads: list[float]) -> list[Figure]:
    ours = contenders[0]
    work = f"one conversation, {size.subscribers:,} subscribers, {RATE} frames/s"
    figures = []
    for name, aim in (("nchan", 1.5), ("usual", 0.6)):
        other = next((one for one in contenders if one.name == name), None)
        wanted = f"≤ {aim} × its processor time a frame"
        if other is None:
            figures.append(skipped("fan-out", work, name, wanted, MISSING))
            continue
        ratio = median(ours.each) / max(median(other.each), 1e-9)
        figures.append(
            Figure(
                what="fan-out",
                work=work,
                yardstick=f"{_NAMES[name]}: {us(median(other.each))} a frame, "
                f"p99 {ms(median(other.p99))}",
                aim=wanted,
                reached=f"{ratio:.2f} × ({us(median(ours.each))} a frame, "
                f"p99 {ms(median(ours.p99))})",
                held=ratio <= aim,
                details={
                    "ours_us": [round(one * 1e6, 2) for one in ours.each],
                    f"{name}_us": [round(one * 1e6, 2) for one in other.each],
                    "ours_delivered": [round(one, 3) for one in ours.whole],
                    f"{name}_delivered": [round(one, 3) for one in other.whole],
                    "subscribers_share_of_a_core": round(max(loads), 3),
                },
            )
        )
    return figures


_NAMES = {"nchan": "nginx with nchan", "usual": "aiohttp, a queue and a task per subscriber"}
