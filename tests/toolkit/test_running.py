"""A tool in Python runs as its function is written, and leaves nothing waiting."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import pytest
import structlog
from msgspec import Struct

from tests.toolkit.calls import Heard, call, refusal
from turnlog.toolkit import Call, ToolFailed, threads, tool


class Order(Struct, rename="camel"):
    order_id: str
    due: date


@tool
async def echo(text: str = "nothing", *, call: Call) -> Any:
    """Return something."""
    return {"struct": Order("A", date(2026, 1, 2)), "none": None, "key": call.key}.get(text, text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("as it is\n", "as it is\n"),
        ("struct", '{"orderId":"A","due":"2026-01-02"}'),
        ("none", ""),
        ("key", "call-1"),
    ],
)
async def test_text_is_told_as_it_is_and_anything_else_as_json(text: str, told: str) -> None:
    heard = await call(echo, text=text)
    assert (heard.told, heard.said) == (told, [])


async def test_arguments_that_were_left_out_have_their_defaults() -> None:
    assert (await call(echo)).told == "nothing"


async def test_arguments_come_as_what_they_are_annotated_to_be() -> None:
    @tool
    async def describe(order: Order, days: dict[int, date], call: Call) -> str:
        """Describe."""
        return f"{order!r} {days!r} {call.arguments['days']}"

    sent = {"orderId": "A", "due": "2026-01-02"}
    heard = await call(describe, order=sent, days={"1": "2026-01-03"})
    order, day = Order("A", date(2026, 1, 2)), date(2026, 1, 3)
    assert heard.told == f"{order!r} { {1: day}!r} { {'1': '2026-01-03'} }"


async def test_arguments_that_do_not_fit_are_told_with_the_place() -> None:
    @tool
    async def order(lines: list[Order]) -> None:
        """Order."""

    assert await refusal(order, lines=[{"orderId": 1, "due": ""}]) == (
        "order did not run, its arguments are wrong: Expected `str`, got `int` - at "
        "`$.lines[0].orderId`."
    )
    assert "unknown field `more`" in await refusal(order, lines=[], more=1)


async def test_what_a_generator_yields_is_heard_at_once() -> None:
    going = asyncio.Event()

    @tool
    async def count() -> AsyncIterator[str]:
        """Count."""
        yield "one "
        await going.wait()
        yield "two"

    heard = Heard()
    running = asyncio.create_task(count.run({}, "k", heard.hear))
    await heard.something.wait()
    assert heard.said == ["one "]
    going.set()
    assert await running == "one two"


async def test_what_is_returned_follows_what_was_said() -> None:
    @tool
    async def work(call: Call) -> str:
        """Work."""
        await call.say("half ")
        await call.say("")
        return "done"

    heard = await call(work)
    assert (heard.said, heard.told) == (["half ", "done"], "half done")


async def test_a_plain_function_runs_in_a_thread_and_is_heard_from_there() -> None:
    @tool
    def work(call: Call) -> str:
        """Work."""
        call.say_from_thread("half ")
        return str(threading.current_thread() is threading.main_thread())

    heard = await call(work)
    assert (heard.said, heard.told) == (["half ", "False"], "half False")


@pytest.mark.parametrize("plain", [True, False])
async def test_a_failure_is_told_and_any_other_exception_is_the_servers(plain: bool) -> None:
    def fail(what: str) -> None:
        """Fail."""
        raise {"told": ToolFailed("Try B."), "other": KeyError("secret"), "stop": StopIteration()}[
            what
        ]

    async def afail(what: str) -> None:
        """Fail."""
        fail(what)

    failing = tool(name="fail")(fail) if plain else tool(name="fail")(afail)
    assert await refusal(failing, what="told") == "Try B."
    with pytest.raises(KeyError, match="secret"):
        await call(failing, what="other")
    with pytest.raises(RuntimeError):
        await call(failing, what="stop")


@pytest.mark.parametrize("plain", [True, False])
async def test_a_tool_can_end_neither_the_server_nor_the_turn(plain: bool) -> None:
    def end() -> None:
        """End."""
        sys.exit(3)

    async def aend() -> None:
        """End."""
        sys.exit(3)

    async def cancel() -> None:
        """Cancel."""
        raise asyncio.CancelledError

    for ending in [tool(end)] if plain else [tool(aend), tool(cancel)]:
        with pytest.raises(RuntimeError, match="came out of a tool"):
            await call(ending)


async def test_cancelling_stops_a_coroutine_and_closes_a_generator() -> None:
    begun, ended = asyncio.Event(), list[str]()

    @tool
    async def wait() -> None:
        """Wait."""
        try:
            begun.set()
            await asyncio.Event().wait()
        finally:
            ended.append("coroutine")

    @tool
    async def stream() -> AsyncIterator[str]:
        """Stream."""
        try:
            yield "a"
            begun.set()
            await asyncio.Event().wait()
        finally:
            ended.append("generator")

    for endless in (wait, stream):
        begun.clear()
        running = asyncio.create_task(endless.run({}, "k", Heard().hear))
        await begun.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert ended == ["coroutine", "generator"]


async def test_cancelling_leaves_a_thread_at_once_and_it_hears_of_it() -> None:
    begun, go, ended = asyncio.Event(), threading.Event(), threading.Event()
    loop = asyncio.get_running_loop()
    outcome: list[object] = []

    @tool
    def block(call: Call) -> None:
        """Block."""
        loop.call_soon_threadsafe(begun.set)
        go.wait()
        try:
            call.say_from_thread("too late")
        except ToolFailed:
            outcome.append(call.cancelled)
        ended.set()

    heard = Heard()
    running = asyncio.create_task(block.run({}, "k", heard.hear))
    await begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    go.set()
    await asyncio.to_thread(ended.wait)
    assert (outcome, heard.said) == ([True], [])


async def test_what_a_thread_was_saying_when_it_was_cancelled_is_not_said() -> None:
    saying, ended = asyncio.Event(), threading.Event()
    said: list[str] = []

    async def full(text: str) -> None:
        saying.set()
        await asyncio.Event().wait()
        said.append(text)

    @tool
    def talk(call: Call) -> None:
        """Talk."""
        try:
            call.say_from_thread("word")
        finally:
            ended.set()

    running = asyncio.create_task(talk.run({}, "k", full))
    await saying.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await asyncio.to_thread(ended.wait)
    assert said == []


async def test_threads_that_do_not_end_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    room = threading.BoundedSemaphore(1)
    monkeypatch.setattr(threads, "_room", room)
    begun, go, ended = asyncio.Event(), threading.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    @tool
    def block() -> None:
        """Block."""
        loop.call_soon_threadsafe(begun.set)
        go.wait()
        ended.set()

    running = asyncio.create_task(block.run({}, "k", Heard().hear))
    await begun.wait()
    running.cancel()
    await asyncio.wait([running])
    assert "calls of tools are at work already" in await refusal(block)
    go.set()
    await asyncio.to_thread(room.acquire)
    room.release()
    assert ended.is_set()
    assert (await call(block)).told == ""


async def test_context_variables_reach_the_thread() -> None:
    @tool
    def look() -> str:
        """Look."""
        return str(structlog.contextvars.get_contextvars().get("turn"))

    with structlog.contextvars.bound_contextvars(turn="t-1"):
        assert (await call(look)).told == "t-1"
