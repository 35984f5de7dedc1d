"""Running a command below a keeper, on the loop of production and on the standard one."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
import uvloop

from tests.processes import (
    PATIENCE,
    descriptors,
    kill_all,
    marked,
    new_mark,
    wait_until_gone,
    zombies,
)
from turnlog.adapters.children import KeptProcess, kept_process

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="keepers are for Linux")

Run = Callable[[Coroutine[Any, Any, None]], None]
ENVIRONMENT = {"PATH": os.defpath}


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def in_a_loop(request: pytest.FixtureRequest) -> Iterator[Run]:
    """Runs a coroutine in a loop, which leaves no descriptor and no zombie behind."""

    async def limited(coroutine: Coroutine[Any, Any, None]) -> None:
        async with asyncio.timeout(PATIENCE):
            await coroutine

    def run(coroutine: Coroutine[Any, Any, None]) -> None:
        runner.run(limited(coroutine))

    with asyncio.Runner(loop_factory=request.param) as runner:
        run(talk("true"))
        before = descriptors()
        yield run
        assert (descriptors(), zombies()) == (before, [])


@pytest.fixture
def mark() -> Iterator[str]:
    mark = new_mark()
    yield mark
    kill_all(mark)


async def talk(script: str) -> None:
    """Run a script to its end."""
    async with kept_process(["sh", "-c", script], folder="/", environment=ENVIRONMENT) as process:
        await process.output.read()
        await process.code()


async def sleep_long(mark: str, ready: Callable[[KeptProcess], None] = lambda _: None) -> None:
    """Run processes that would sleep for long; `ready` is called when they are there."""
    script = f"setsid sleep {mark} & echo ready; sleep {mark}"
    async with kept_process(["sh", "-c", script], folder="/", environment=ENVIRONMENT) as process:
        assert await process.output.readline() == b"ready\n"
        assert len(marked(mark)) > 2
        ready(process)
        await process.code()


def test_what_it_says_comes_by_one_pipe_and_its_code_afterwards(
    in_a_loop: Run, tmp_path: Any
) -> None:
    async def scenario() -> None:
        script = "echo one; echo two >&2; pwd; echo $A $B; exit 5"
        async with kept_process(
            ["sh", "-c", script], folder=tmp_path, environment={**ENVIRONMENT, "A": "a"}
        ) as process:
            assert (await process.output.read()).decode() == f"one\ntwo\n{tmp_path}\na\n"
            assert await process.code() == 5

    in_a_loop(scenario())


def test_what_cannot_be_started_is_told(in_a_loop: Run) -> None:
    async def scenario() -> None:
        with pytest.raises(FileNotFoundError):
            async with kept_process(["true"], folder="/nowhere", environment={}):
                pass

    in_a_loop(scenario())


def test_whoever_no_longer_wants_it_leaves_nothing_running(in_a_loop: Run, mark: str) -> None:
    async def scenario() -> None:
        class Enough(Exception):
            pass

        def enough(_: KeptProcess) -> None:
            raise Enough

        with pytest.raises(Enough):
            await sleep_long(mark, enough)
        assert marked(mark) == []

    in_a_loop(scenario())


def test_it_can_be_ended_from_beside(in_a_loop: Run, mark: str) -> None:
    async def scenario() -> None:
        await sleep_long(mark, lambda process: process.end())
        assert marked(mark) == []

    in_a_loop(scenario())


def test_cancelling_waits_until_nothing_is_left(in_a_loop: Run, mark: str) -> None:
    async def scenario() -> None:
        ready = asyncio.Event()
        running = asyncio.create_task(sleep_long(mark, lambda _: ready.set()))
        await ready.wait()
        running.cancel()
        await asyncio.wait([running])
        assert running.cancelled()
        assert marked(mark) == []

    in_a_loop(scenario())


def test_cancelling_twice_does_not_wait_and_nothing_is_left_soon(in_a_loop: Run, mark: str) -> None:
    async def scenario() -> None:
        ready = asyncio.Event()
        running = asyncio.create_task(sleep_long(mark, lambda _: ready.set()))
        await ready.wait()
        running.cancel()
        await asyncio.sleep(0)
        running.cancel()
        await asyncio.wait([running])
        assert running.cancelled()
        await asyncio.to_thread(wait_until_gone, mark)
        # What goes on behind has to end before the loop does.
        await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()})

    in_a_loop(scenario())


def test_cancelling_at_any_moment_of_the_start_leaves_nothing(in_a_loop: Run, mark: str) -> None:
    async def scenario() -> None:
        for steps in range(12):
            running = asyncio.create_task(sleep_long(mark))
            for _ in range(steps):
                await asyncio.sleep(0)
            running.cancel()
            await asyncio.wait([running])
            assert running.cancelled()
            assert marked(mark) == []

    in_a_loop(scenario())


def test_its_output_is_not_read_before_it_is_asked_for(in_a_loop: Run) -> None:
    async def scenario() -> None:
        async with kept_process(
            ["sh", "-c", "head -c 9999999 /dev/zero; echo done >&2"],
            folder="/",
            environment=ENVIRONMENT,
        ) as process:
            size = len(await process.output.readexactly(1))
            while data := await process.output.read(10_000):
                assert len(data) <= 10_000
                size += len(data)
            assert size == 9_999_999 + len("done\n")

    in_a_loop(scenario())
