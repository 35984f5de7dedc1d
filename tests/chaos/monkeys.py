"""Those who carry out the plan: one node is spared at any time, but in a blackout."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from typing import assert_never

from tests.chaos.database import Database
from tests.chaos.diary import Deed, Diary
from tests.chaos.nodes import Node, now
from tests.chaos.plan import Act


class Monkeys:
    """Break nodes, wires and the database, and put them back."""

    def __init__(self, nodes: Sequence[Node], database: Database, diary: Diary) -> None:
        self._nodes = nodes
        self._database = database
        self._diary = diary
        self._database_changing = asyncio.Lock()
        self._unspared = asyncio.Semaphore(max(1, len(nodes) - 1))
        self._over = False

    async def carry_out(self, acts: Sequence[Act], seconds: float) -> None:
        """The acts, each at its time or when its node is free, for so many seconds.

        Everything is whole again at the end.
        """
        time = asyncio.get_running_loop().time
        began = time()
        async with asyncio.TaskGroup() as group:
            for act in acts:
                await asyncio.sleep(began + act.at - time())
                group.create_task(self._do(act))
            await asyncio.sleep(began + seconds - time())
            self._over = True

    async def _do(self, act: Act) -> None:
        node = self._nodes[act.node]
        match act.kind:
            case "kill" | "restart" | "freeze" | "nap":
                async with self._unspared, node.changing:
                    if not self._over:
                        await self._strike(act, node)
            case "blackout":
                await self._black_out(act)
            case "crash database":
                await self._break_database(act, signal.SIGQUIT)
            case "kill database":
                await self._break_database(act, signal.SIGKILL)
            case "restart database":
                await self._break_database(act, None)
            case "cut from database":
                deed = self._begin(act, node)
                node.to_database.cut()
                deed.ended = now()
            case "shut out from database":
                deed = self._begin(act, node)
                node.to_database.refusing = True
                node.to_database.cut()
                await asyncio.sleep(act.lasts)
                node.to_database.refusing = False
                deed.ended = now()
            case "hold back from database" | "hang database connections":
                deed = self._begin(act, node)
                node.to_database.hold(new=act.kind == "hold back from database")
                await asyncio.sleep(act.lasts)
                node.to_database.let_go()
                deed.ended = now()
            case "cut clients":
                deed = self._begin(act, node)
                node.to_clients.cut()
                deed.ended = now()
            case _:
                assert_never(act.kind)

    async def _strike(self, act: Act, node: Node) -> None:
        deed = self._begin(act, node)
        match act.kind:
            case "kill":
                await node.end(signal.SIGKILL)
            case "restart":
                await node.end(signal.SIGTERM)
                if node.life.code != 0:
                    self._diary.surprise(f"SIGTERM ended node {node.number} with", node.life.code)
            case _:
                node.send(signal.SIGSTOP)
        await asyncio.sleep(act.lasts)
        node.send(signal.SIGCONT)
        await node.start()
        deed.ended = now()

    async def _black_out(self, act: Act) -> None:
        locks = [node.changing for node in self._nodes]
        for lock in locks:
            await lock.acquire()
        try:
            if self._over:
                return
            deed = self._begin(act, *self._nodes)
            await asyncio.gather(*(node.end(signal.SIGKILL) for node in self._nodes))
            await asyncio.sleep(act.lasts)
            await asyncio.gather(*(node.start() for node in self._nodes))
            deed.ended = now()
        finally:
            for lock in locks:
                lock.release()

    async def _break_database(self, act: Act, how: signal.Signals | None) -> None:
        async with self._database_changing:
            if self._over:
                return
            deed = self._begin(act)
            if how is None:
                await self._database.stop()
            else:
                await self._database.crash(how)
            await asyncio.sleep(act.lasts)
            await self._database.start()
            deed.ended = now()

    def _begin(self, act: Act, *nodes: Node) -> Deed:
        return self._diary.begin(act.kind, act.node, *(node.life.pid for node in nodes), at=now())
