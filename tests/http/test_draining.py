"""A node that was asked to stop begins nothing new, and brings to its end what it has begun."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from tests.http.nodes import client_of
from tests.http.server import DEMO, Api, Node, node_in_memory


@asynccontextmanager
async def stopping(api: Api, at_work: AsyncExitStack) -> AsyncIterator[asyncio.Task[None]]:
    """The node is asked to stop, and has time for its turns."""
    task = asyncio.create_task(at_work.aclose())
    await asyncio.sleep(0)
    try:
        yield task
    finally:
        api.node.gate.set()
        await task


async def at_work_on(node: Node) -> AsyncExitStack:
    stack = AsyncExitStack()
    await stack.enter_async_context(node.turnlog.running(drain_seconds=20))
    return stack


async def test_what_is_new_is_sent_elsewhere_and_what_runs_may_finish() -> None:
    node = node_in_memory()
    at_work = await at_work_on(node)
    async with client_of(node) as api:
        conversation = await api.create()
        turn = await api.say(conversation, "/say done\n/delay 1")
        async with stopping(api, at_work) as stopped:
            path = f"/conversations/{conversation['conversationId']}/messages"
            for answer in (
                await api.post(path, {"message": "/say more"}),
                await api.post(path, {"message": "/say more"}, {"Idempotency-Key": "one"}),
                await api.post("/conversations", DEMO),
            ):
                assert (answer.status, answer.code) == (503, "NODE_STOPPING")
                assert answer.headers["Retry-After"] == "1"
                assert answer.headers["Connection"] == "close"
            assert (await api.topics(conversation)).count("turn.queued") == 1
            assert not stopped.done()
            assert (await api.get(turn["statusUrl"])).json["status"] == "running"

            node.gate.set()
            assert (await api.ended(turn))["status"] == "completed"


async def test_a_turn_may_still_be_cancelled() -> None:
    node = node_in_memory()
    at_work = await at_work_on(node)
    async with client_of(node) as api:
        turn = await api.say(await api.create(), "/say done\n/delay 1")
        async with stopping(api, at_work):
            assert (await api.post(f"/turns/{turn['turnId']}/cancel", {})).status == 202

            assert (await api.ended(turn))["status"] == "cancelled"


async def test_an_answer_that_was_given_is_given_again() -> None:
    node = node_in_memory()
    at_work = await at_work_on(node)
    async with client_of(node) as api:
        key = {"Idempotency-Key": "one"}
        first = await api.post("/conversations", DEMO, key)
        turn = await api.say(first.json, "/say done\n/delay 1")
        async with stopping(api, at_work):
            again = await api.post("/conversations", DEMO, key)

            assert (again.status, again.body) == (201, first.body)
            assert turn["status"] == "running"
