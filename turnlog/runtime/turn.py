"""The agent loop of one turn: the model speaks, its tools run, and again, until it rests."""

from __future__ import annotations

import asyncio

import structlog

from turnlog.domain import commands
from turnlog.domain.codec import well_formed
from turnlog.domain.errors import ModelFailed, TurnlogError, TurnSuperseded
from turnlog.domain.turn import RunningTurn
from turnlog.domain.values import TurnError
from turnlog.runtime.attempt import Attempt
from turnlog.runtime.calls import ToolCalls
from turnlog.runtime.steps import Steps

MAX_STEPS = 64
MAX_MESSAGE = 4000

log = structlog.get_logger(__name__)


class TurnRunner:
    """Runs one attempt of one turn. It reads the log and speaks to the actor, nothing else."""

    def __init__(
        self,
        attempt: Attempt,
        steps: Steps,
        calls: ToolCalls,
        *,
        deadline: float,
        patience: float,
    ) -> None:
        """Times in seconds: `deadline` is how long the attempt may take, `patience` how long
        the turn may rest for others to answer its calls.
        """
        self._attempt = attempt
        self._steps = steps
        self._calls = calls
        self._deadline = deadline
        self._patience = patience

    async def run(self) -> None:
        """Bring the turn to its end, or to where it rests.

        Cancelling this task leaves the turn open, unless that was asked for in its log.
        """
        limit = asyncio.timeout(self._deadline)
        try:
            async with limit:
                await self._loop()
        except ModelFailed as failure:
            log.warning("turn.failed", reason=failure.reason, provider=failure.provider)
            await self._fail(
                failure.reason,
                well_formed(str(failure))[:MAX_MESSAGE],
                provider=failure.provider,
                retryable=failure.retryable,
            )
        except TurnSuperseded:
            log.info("turn.superseded")
        except TurnlogError as refusal:
            log.warning("turn.refused", code=refusal.code)
            await self._fail(refusal.code.lower(), str(refusal))
        except asyncio.CancelledError:
            if not self._asked_to_cancel():
                raise
            await self._cancel()
        except Exception as error:
            if isinstance(error, TimeoutError) and limit.expired():
                await self._fail("deadline_exceeded", f"It took over {self._deadline:g} s.")
                return
            log.exception("turn.crashed")
            message = "The server failed while it ran this turn; its log has the details."
            await self._fail("internal_error", message, retryable=True)

    def look(self) -> None:
        """The turn has moved."""
        self._calls.look()

    async def _loop(self) -> None:
        turn: RunningTurn | None = self._attempt.turn
        while turn is not None and not turn.resting:
            if turn.calls:
                turn = await self._answer_calls(turn)
            elif not turn.wants_step:
                turn = await self._attempt.ask(commands.CompleteTurn)
            elif turn.step >= MAX_STEPS:
                message = f"The turn took {MAX_STEPS} steps without an end."
                await self._fail("step_limit", message)
                return
            else:
                turn = await self._steps.next()

    async def _answer_calls(self, turn: RunningTurn) -> RunningTurn | None:
        """Run what can be run of the calls, and rest for the others; the turn after that."""
        turn = await self._calls.run(turn, await self._steps.offers())
        if not turn.calls:
            return turn
        expires_at = self._attempt.clock.now() + int(self._patience * 1_000_000)
        return await self._attempt.ask(commands.RestTurn, expires_at=expires_at)

    def _asked_to_cancel(self) -> bool:
        try:
            turn = self._attempt.latest()
        except TurnSuperseded:
            return False
        return turn is not None and turn.cancel is not None

    async def _cancel(self) -> None:
        """All is stopped: say so."""
        log.info("turn.cancelled")
        try:
            await self._attempt.ask(commands.AcknowledgeCancel, usage=self._steps.usage)
        except TurnSuperseded:
            log.info("turn.superseded")

    async def _fail(
        self, code: str, message: str, *, provider: str | None = None, retryable: bool = False
    ) -> None:
        error = TurnError(code=code, message=message, provider=provider, retryable=retryable)
        try:
            await self._attempt.ask(commands.FailTurn, error=error, usage=self._steps.usage)
        except TurnSuperseded:
            log.info("turn.superseded")
