"""The actors of this node, and the runners of the turns that it owns."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from itertools import islice
from uuid import UUID

import structlog
from msgspec import Struct

from turnlog.domain.ports import EventStore, Records
from turnlog.domain.records import TurnRow
from turnlog.domain.turn import RunningTurn
from turnlog.runtime.actor import Actor
from turnlog.runtime.hints import HintExchange
from turnlog.runtime.journal import Journal
from turnlog.runtime.standing import Standing
from turnlog.runtime.tail import Tails
from turnlog.runtime.turn import TurnRunner

MAX_WARM = 10_000
SETTLE_SECONDS = 5.0

MakeRunner = Callable[[Actor, RunningTurn], TurnRunner]


class _Run(Struct):
    """The runner of one attempt of a turn."""

    turn_id: UUID
    attempt: int
    runner: TurnRunner
    task: asyncio.Task[None]
    stopping: bool = False

    def stop(self) -> None:
        """Once: a runner that is stopping must not be disturbed in that."""
        if not self.stopping:
            self.stopping = True
            # One that has just ended its turn by itself is done before this is called.
            asyncio.get_running_loop().call_soon(self.task.cancel)


log = structlog.get_logger(__name__)


class Actors:
    """One actor for each conversation that is warm; one runner for each turn that runs here."""

    def __init__(
        self,
        store: EventStore,
        records: Records,
        journal: Journal,
        tails: Tails,
        hints: HintExchange,
        make_runner: MakeRunner,
        node: str,
        text_interval: float = 0.0,
    ) -> None:
        """`node` is this node's name in the log: it runs the turns that name it.

        `text_interval` is as in `Actor`.
        """
        self._store = store
        self._records = records
        self._journal = journal
        self._tails = tails
        self._hints = hints
        self._make_runner = make_runner
        self._node = node
        self._text_interval = text_interval
        self._warm: OrderedDict[UUID, Actor] = OrderedDict()
        self._runs: dict[UUID, _Run] = {}
        self._crashed: set[tuple[UUID, int]] = set()
        self._resting = False

    def of(self, conversation_id: UUID, standing: Standing | None = None) -> Actor:
        """The conversation's actor; `standing` where it is known, as of a new one."""
        actor = self._warm.get(conversation_id)
        if actor is None:
            actor = Actor(
                conversation_id,
                store=self._store,
                records=self._records,
                journal=self._journal,
                tails=self._tails,
                moved=self._moved,
                standing=standing,
                text_interval=self._text_interval,
            )
            self._warm[conversation_id] = actor
            self._let_go()
        self._warm.move_to_end(conversation_id)
        return actor

    @property
    def running(self) -> int:
        """How many turns run on this node."""
        return len(self._runs)

    def turns(self) -> list[UUID]:
        """The turns that run here."""
        return [run.turn_id for run in self._runs.values()]

    def attend(self, turn: TurnRow) -> bool:
        """The log says that the turn runs here, which may not be known: look.

        False where its runner has crashed: another attempt is due.
        """
        if (turn.turn_id, turn.attempt) in self._crashed:
            return False
        self.of(turn.conversation_id).look()
        return True

    def watched(self) -> list[UUID]:
        """The conversations whose turns run here: they must learn what others write."""
        return list(self._runs)

    def behind(self, conversation_id: UUID, offset: int) -> bool:
        """Whether a turn runs there, and the actor knows less of the log than up to the offset."""
        actor = self._warm.get(conversation_id)
        if conversation_id not in self._runs or actor is None or actor.standing is None:
            return False
        return actor.standing.head.offset < offset

    async def catch_up(self, reached: Mapping[UUID, int]) -> None:
        """Others have written up to these offsets: let the actors read what they do not know."""
        for conversation_id, offset in reached.items():
            if self.behind(conversation_id, offset):
                self._warm[conversation_id].look()

    async def rest(self, seconds: float) -> None:
        """Let the turns finish, for so long; then stop their runners where they are.

        From then on no turn is started here. What was said is still written, unless
        the store is away.
        """
        tasks = [run.task for run in self._runs.values()]
        if tasks and seconds:
            await asyncio.wait(tasks, timeout=seconds)
        self._resting = True
        tasks = [run.task for run in self._runs.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        try:
            async with asyncio.timeout(SETTLE_SECONDS):
                for actor in list(self._warm.values()):
                    await actor.settle()
        except TimeoutError:
            log.warning("actors.unsettled")

    def _moved(self, actor: Actor, standing: Standing, news: bool) -> None:
        conversation_id = actor.conversation_id
        self._hints.moved(conversation_id, standing.head.offset, news=news)
        if not news:
            return
        turn = standing.state.running
        if turn is not None and turn.node != self._node:
            turn = None
        run = self._runs.get(conversation_id)
        if run is not None:
            if turn is not None and (turn.turn_id, turn.attempt) == (run.turn_id, run.attempt):
                if turn.cancel is not None:
                    run.stop()
                run.runner.look()
                return
            del self._runs[conversation_id]
            run.stop()
        if turn is not None and not self._resting:
            self._start(actor, turn)

    def _start(self, actor: Actor, turn: RunningTurn) -> None:
        conversation_id = actor.conversation_id
        runner = self._make_runner(actor, turn)
        context = {"conversation_id": str(conversation_id), "turn_id": str(turn.turn_id)}

        async def work() -> None:
            structlog.contextvars.clear_contextvars()
            with structlog.contextvars.bound_contextvars(**context):
                log.info("turn.started", model=turn.settings.model, attempt=turn.attempt)
                await runner.run()

        task = asyncio.create_task(work())
        run = _Run(turn.turn_id, turn.attempt, runner, task)
        self._runs[conversation_id] = run
        task.add_done_callback(lambda _: self._ended(conversation_id, run))

    def _ended(self, conversation_id: UUID, run: _Run) -> None:
        if self._runs.get(conversation_id) is run:
            del self._runs[conversation_id]
            if not run.task.cancelled() and (error := run.task.exception()):
                log.error("turn.runner_crashed", turn_id=str(run.turn_id), exc_info=error)
                self._crashed.add((run.turn_id, run.attempt))

    def _let_go(self) -> None:
        """Forget the actor that was idle longest, beyond so many."""
        surplus = max(0, len(self._warm) - MAX_WARM)
        for conversation_id, actor in list(islice(self._warm.items(), surplus)):
            if actor.idle and conversation_id not in self._runs:
                del self._warm[conversation_id]
