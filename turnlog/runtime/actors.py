"""The actors of this node, and the runners of the turns that it owns."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from itertools import islice
from uuid import UUID

import structlog

from turnlog.domain.conversation import RunningTurn
from turnlog.domain.ports import EventStore
from turnlog.runtime.actor import Actor
from turnlog.runtime.hints import HintExchange
from turnlog.runtime.journal import Journal
from turnlog.runtime.standing import Standing
from turnlog.runtime.tail import Tails
from turnlog.runtime.turn import TurnRunner

MAX_WARM = 10_000
SETTLE_SECONDS = 5.0

MakeRunner = Callable[[Actor, RunningTurn], TurnRunner]
_Run = tuple[UUID, int]

log = structlog.get_logger(__name__)


class Actors:
    """One actor for each conversation that is warm; one runner for each turn that runs here."""

    def __init__(
        self,
        store: EventStore,
        journal: Journal,
        tails: Tails,
        hints: HintExchange,
        make_runner: MakeRunner,
        node: str,
    ) -> None:
        """`node` is this node's name in the log: it runs the turns that name it."""
        self._store = store
        self._journal = journal
        self._tails = tails
        self._hints = hints
        self._make_runner = make_runner
        self._node = node
        self._warm: OrderedDict[UUID, Actor] = OrderedDict()
        self._runners: dict[UUID, tuple[_Run, asyncio.Task[None]]] = {}
        self._resting = False

    def of(self, conversation_id: UUID, standing: Standing | None = None) -> Actor:
        """The conversation's actor; `standing` where it is known, as of a new one."""
        actor = self._warm.get(conversation_id)
        if actor is None:
            actor = Actor(
                conversation_id,
                store=self._store,
                journal=self._journal,
                tails=self._tails,
                moved=self._moved,
                standing=standing,
            )
            self._warm[conversation_id] = actor
            self._let_go()
        self._warm.move_to_end(conversation_id)
        return actor

    @property
    def running(self) -> int:
        """How many turns run on this node."""
        return len(self._runners)

    async def rest(self, seconds: float) -> None:
        """Let the turns finish, for so long; then stop their runners where they are.

        From then on no turn is started here. What was said is still written, unless
        the store is away.
        """
        tasks = [task for _, task in self._runners.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)
        self._resting = True
        tasks = [task for _, task in self._runners.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        try:
            async with asyncio.timeout(SETTLE_SECONDS):
                for actor in list(self._warm.values()):
                    await actor.settle()
        except TimeoutError:
            log.warning("actors.unsettled")

    def _moved(self, actor: Actor, standing: Standing) -> None:
        conversation_id = actor.conversation_id
        self._hints.moved(conversation_id, standing.head.offset)
        turn = standing.state.running
        run = None
        if turn is not None and turn.node == self._node:
            run = (turn.turn_id, turn.attempt)
        mine, task = self._runners.get(conversation_id, (None, None))
        if run == mine:
            return
        if task is not None:
            self._runners.pop(conversation_id)
            # One that has just ended its turn by itself is done before this is called.
            asyncio.get_running_loop().call_soon(task.cancel)
        if turn is not None and run is not None and not self._resting:
            self._start(actor, turn, run)

    def _start(self, actor: Actor, turn: RunningTurn, run: _Run) -> None:
        conversation_id = actor.conversation_id
        runner = self._make_runner(actor, turn)
        context = {"conversation_id": str(conversation_id), "turn_id": str(turn.turn_id)}

        async def work() -> None:
            structlog.contextvars.clear_contextvars()
            with structlog.contextvars.bound_contextvars(**context):
                log.info("turn.started", model=turn.settings.model)
                await runner.run()

        task = asyncio.create_task(work())
        self._runners[conversation_id] = (run, task)
        task.add_done_callback(lambda _: self._ended(conversation_id, run))

    def _ended(self, conversation_id: UUID, run: _Run) -> None:
        if self._runners.get(conversation_id, (None, None))[0] == run:
            del self._runners[conversation_id]

    def _let_go(self) -> None:
        """Forget the actor that was idle longest, beyond so many."""
        surplus = max(0, len(self._warm) - MAX_WARM)
        for conversation_id, actor in list(islice(self._warm.items(), surplus)):
            if actor.idle and conversation_id not in self._runners:
                del self._warm[conversation_id]
