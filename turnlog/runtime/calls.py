"""Running a step's tool calls, side by side, each within its time."""

from __future__ import annotations

import asyncio
from typing import Any

import structlog

from turnlog.domain import commands
from turnlog.domain.codec import pieces, well_formed
from turnlog.domain.errors import NotFound, ToolFailed, ToolTimedOut, TurnSuperseded
from turnlog.domain.ports import Progress, Tool
from turnlog.domain.turn import OpenCall, RunningTurn
from turnlog.domain.values import ToolCallStatus
from turnlog.runtime.arguments import Unfit, arguments_of
from turnlog.runtime.attempt import Attempt
from turnlog.runtime.toolbox import Offers

MAX_AT_ONCE = 16

log = structlog.get_logger(__name__)


class ToolCalls:
    """The calls of one attempt of a turn."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._news = asyncio.Event()
        self._slots = asyncio.Semaphore(MAX_AT_ONCE)

    def look(self) -> None:
        """The turn has moved: a person may have allowed a call, or its caller answered one."""
        self._news.set()

    async def run(self, turn: RunningTurn, offers: Offers) -> RunningTurn:
        """Run the turn's calls, those too that are allowed meanwhile, until none is under way.

        A call that does not fit its tool gets that for a result, wherever it would have run.
        Cancelling this stops the tools. The turn after that.
        """
        begun: set[int] = set()
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    self._news.clear()
                    turn = self._attempt.latest() or turn
                    for item, call in turn.calls.items():
                        if item not in begun and (todo := self._todo(call, offers)) is not None:
                            begun.add(item)
                            group.create_task(self._bring(call, todo))
                    if begun.isdisjoint(turn.calls):
                        return turn
                    await self._news.wait()
        except ExceptionGroup as failures:
            if failures.subgroup(TurnSuperseded):
                raise TurnSuperseded() from None
            raise

    def _todo(self, call: OpenCall, offers: Offers) -> _Run | Unfit | None:
        """What is to be done for a call here; None where it waits for somebody."""
        try:
            arguments = arguments_of(call, offers)
        except Unfit as unfit:
            return unfit
        if call.wants is not None:
            return None
        tool = offers[call.name].tool
        if tool is None:
            return Unfit(f"The tool {call.name!r} does not run on the server any more.")
        return _Run(tool, arguments)

    async def _bring(self, call: OpenCall, todo: _Run | Unfit) -> None:
        """Bring the call to its result."""
        clock = self._attempt.clock
        spoken = False

        async def say(text: str) -> None:
            nonlocal spoken
            await self._attempt.actor.room()
            for piece in pieces(well_formed(text)):
                spoken = True
                self._attempt.tell(commands.AppendOutput, call_id=call.call_id, text=piece)

        async with self._slots:
            started = clock.now()
            status, output = await self._outcome(call, todo, say)
        if status != "ok" or not spoken:
            await say(output)
        duration = (clock.now() - started) // 1000
        log.info("tool_call.completed", tool=call.name, status=status, duration_ms=duration)
        try:
            await self._attempt.ask(
                commands.CompleteToolCall,
                call_id=call.call_id,
                status=status,
                duration_ms=duration,
            )
        except NotFound:
            log.info("tool_call.answered_before", tool=call.name)

    async def _outcome(
        self, call: OpenCall, todo: _Run | Unfit, say: Progress
    ) -> tuple[ToolCallStatus, str]:
        if isinstance(todo, Unfit):
            return "error", str(todo)
        seconds = todo.tool.spec.seconds
        limit = asyncio.timeout(seconds)
        key = f"{self._attempt.turn.turn_id}/{call.call_id}"
        try:
            async with limit:
                return "ok", await todo.tool.run(todo.arguments, key, say)
        except ToolFailed as failure:
            return "timeout" if isinstance(failure, ToolTimedOut) else "error", str(failure)
        except Exception as error:
            if isinstance(error, TimeoutError) and limit.expired():
                return "timeout", f"The tool was stopped after {seconds:g} s."
            log.exception("tool_call.crashed", tool=call.name)
            return "error", "The tool failed in a way that it did not expect."


class _Run:
    """A call that fits its tool, which runs here."""

    def __init__(self, tool: Tool, arguments: dict[str, Any]) -> None:
        self.tool = tool
        self.arguments = arguments
