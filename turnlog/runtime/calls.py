"""Running a step's tool calls, in parallel, each within its time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import msgspec
import structlog

from turnlog.domain import commands
from turnlog.domain.codec import well_formed
from turnlog.domain.errors import ToolFailed, ToolTimedOut, TurnSuperseded
from turnlog.domain.ports import Clock, Progress, Tool
from turnlog.domain.tools import ToolSpec
from turnlog.domain.turn import OpenCall, RunningTurn
from turnlog.domain.values import BuiltinTool, ToolCallStatus
from turnlog.runtime.actor import Actor
from turnlog.runtime.letters import pieces

CALL_SECONDS = 60.0

log = structlog.get_logger(__name__)


class ToolCalls:
    """The calls of one turn, run by the tools of this server."""

    def __init__(self, actor: Actor, tools: Mapping[str, Tool], clock: Clock) -> None:
        self._actor = actor
        self._tools = tools
        self._clock = clock

    def offered(self, turn: RunningTurn) -> tuple[ToolSpec, ...]:
        """The tools that the model may call in this turn."""
        if turn.settings.tools is None:
            return tuple(tool.spec for tool in self._tools.values() if tool.spec.unasked)
        names = [
            choice.name if isinstance(choice, BuiltinTool) else choice
            for choice in turn.settings.tools
            if isinstance(choice, str | BuiltinTool)
        ]
        return tuple(self._tools[name].spec for name in names if name in self._tools)

    async def run(self, turn: RunningTurn) -> None:
        """Run the turn's open calls to their results; cancelling stops the tools."""
        try:
            async with asyncio.TaskGroup() as group:
                for call in turn.calls.values():
                    group.create_task(self._run(turn, call))
        except ExceptionGroup as failures:
            if failures.subgroup(TurnSuperseded):
                raise TurnSuperseded() from None
            raise

    async def _run(self, turn: RunningTurn, call: OpenCall) -> None:
        started = self._clock.now()
        spoken: list[str] = []

        async def say(text: str) -> None:
            await self._actor.room()
            for piece in pieces(well_formed(text)):
                spoken.append(piece)
                self._actor.tell(
                    commands.AppendOutput(
                        at=self._clock.now(),
                        turn_id=turn.turn_id,
                        attempt=turn.attempt,
                        call_id=call.call_id,
                        text=piece,
                    )
                )

        status: ToolCallStatus = "error"
        output = "The call was cut off before it was whole, so the tool did not run."
        if not call.partial:
            status, output = await self._outcome(turn, call, say)
        if status != "ok" or not spoken:
            await say(output)
        duration = (self._clock.now() - started) // 1000
        log.info("tool_call.completed", tool=call.name, status=status, duration_ms=duration)
        await self._actor.ask(
            commands.CompleteToolCall(
                at=self._clock.now(),
                turn_id=turn.turn_id,
                attempt=turn.attempt,
                call_id=call.call_id,
                status=status,
                duration_ms=duration,
            )
        )

    async def _outcome(
        self, turn: RunningTurn, call: OpenCall, say: Progress
    ) -> tuple[ToolCallStatus, str]:
        offered = [spec.name for spec in self.offered(turn)]
        if call.name not in offered:
            return "error", f"There is no tool {call.name!r}. There are: {', '.join(offered)}."
        try:
            arguments = msgspec.json.decode(call.arguments.strip() or "{}")
        except (msgspec.DecodeError, RecursionError) as error:
            return "error", f"The arguments are not JSON, so the tool did not run: {error}"
        if not isinstance(arguments, dict):
            return "error", "The arguments are not a JSON object, so the tool did not run."
        key = f"{turn.turn_id}/{call.call_id}"
        limit = asyncio.timeout(CALL_SECONDS)
        try:
            async with limit:
                return "ok", await self._tools[call.name].run(arguments, key, say)
        except ToolFailed as failure:
            return "timeout" if isinstance(failure, ToolTimedOut) else "error", str(failure)
        except Exception as error:
            if isinstance(error, TimeoutError) and limit.expired():
                return "timeout", f"The tool was stopped after {CALL_SECONDS:g} s."
            log.exception("tool_call.crashed", tool=call.name)
            return "error", "The tool failed in a way that it did not expect."
