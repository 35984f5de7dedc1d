"""The agent loop of one turn: the model speaks, its tools run, and again, until it rests."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any, assert_never

import structlog
from tenacity import RetryCallState

from turnlog.domain import commands
from turnlog.domain.codec import well_formed
from turnlog.domain.commands import RunnerCommand
from turnlog.domain.errors import (
    ModelFailed,
    ModelFailure,
    StoreUnavailable,
    TurnlogError,
    TurnSuperseded,
)
from turnlog.domain.model import (
    ItemCompleted,
    ItemDelta,
    ItemStarted,
    ModelRequest,
    StepFinished,
    UsageReported,
)
from turnlog.domain.ports import Clock, ModelProvider
from turnlog.domain.turn import RunningTurn
from turnlog.domain.values import TurnError, Usage
from turnlog.runtime.actor import STORE_RETRY_SECONDS, Actor
from turnlog.runtime.calls import ToolCalls
from turnlog.runtime.letters import pieces
from turnlog.runtime.prompting import Prompter
from turnlog.runtime.retries import several_tries

MAX_STEPS = 64
MAX_MESSAGE = 4000
MAX_NAME = 256

log = structlog.get_logger(__name__)


class TurnRunner:
    """Runs one attempt of one turn. It reads the log and speaks to the actor, nothing else."""

    def __init__(
        self,
        actor: Actor,
        turn: RunningTurn,
        *,
        model: Callable[[], ModelProvider],
        prompter: Prompter,
        calls: ToolCalls,
        clock: Clock,
        stall_timeout: float,
        deadline: float,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        """`model` may refuse. Times in seconds: `stall_timeout` is how long a model may say
        nothing, `deadline` how long the attempt may take.
        """
        self._actor = actor
        self._turn = turn
        self._model = model
        self._prompter = prompter
        self._calls = calls
        self._clock = clock
        self._stall_timeout = stall_timeout
        self._deadline = deadline
        self._sleep = sleep
        self._usage = Usage()

    async def run(self) -> None:
        """Bring the turn to its end.

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

    async def _loop(self) -> None:
        turn: RunningTurn | None = self._turn
        while turn is not None:
            if turn.calls:
                await self._calls.run(turn)
            elif not turn.wants_step:
                turn = await self._ask(commands.CompleteTurn)
                continue
            if turn.step >= MAX_STEPS:
                message = f"The turn took {MAX_STEPS} steps without an end."
                await self._fail("step_limit", message)
                return
            turn = await self._step()

    async def _step(self) -> RunningTurn | None:
        """One step, tried again after failures that may pass; the turn after it."""
        tries = several_tries(before_sleep=self._retrying, sleep=self._sleep)
        return await tries(self._try_step)

    async def _try_step(self) -> RunningTurn | None:
        started = self._clock.now()
        await self._ask(commands.StartStep)
        # Read after the step's start is on disk: what is told from then on wants another step.
        request = await self._request()
        self._usage = Usage(estimated=True)
        finished = await self._listen(request)
        turn = await self._ask(
            commands.CompleteStep,
            usage=finished.usage,
            stop_reason=finished.stop_reason,
            duration_ms=(self._clock.now() - started) // 1000,
            response_id=finished.response_id,
        )
        self._usage = Usage()
        return turn

    async def _retrying(self, state: RetryCallState) -> None:
        failure = state.outcome and state.outcome.exception()
        pause = state.next_action.sleep if state.next_action else 0.0
        reason = failure.reason if isinstance(failure, ModelFailed) else "unknown"
        log.info("turn.retrying", reason=reason, retry=state.attempt_number)
        usage, self._usage = self._usage, Usage()
        await self._ask(
            commands.RetryStep,
            reason=reason,
            delay_ms=int(pause * 1000),
            retry=state.attempt_number,
            usage=usage if usage.input_tokens or usage.output_tokens else None,
        )

    async def _request(self) -> ModelRequest:
        """The step's request; a store that is away is waited for."""
        while True:
            try:
                return await self._prompter.request(self._turn, self._calls.offered(self._turn))
            except StoreUnavailable:
                log.warning("turn.store_unavailable")
                await asyncio.sleep(STORE_RETRY_SECONDS)

    async def _listen(self, request: ModelRequest) -> StepFinished:
        """Tell the actor what the model says. The watchdog rests while the disk is waited for."""
        time = asyncio.get_running_loop().time
        try:
            async with (
                asyncio.timeout(self._stall_timeout) as watchdog,
                aclosing(self._model().stream(request)) as parts,
            ):
                async for part in parts:
                    if isinstance(part, StepFinished):
                        return part
                    watchdog.reschedule(None)
                    if isinstance(part, ItemCompleted):
                        part = await self._prompter.kept(part)
                    self._hear(part)
                    await self._actor.room()
                    watchdog.reschedule(time() + self._stall_timeout)
        except TimeoutError:
            message = f"The model said nothing for {self._stall_timeout:g} s."
            raise self._failure("stalled", message) from None
        raise self._failure("connection", "The model's answer ended before it was whole.")

    def _hear(self, part: ItemStarted | ItemDelta | ItemCompleted | UsageReported) -> None:
        match part:
            case ItemStarted():
                name = well_formed(part.name)[:MAX_NAME]
                self._tell(commands.StartItem, item=part.item, kind=part.kind, name=name)
            case ItemDelta():
                for text in pieces(well_formed(part.text)):
                    self._tell(commands.AppendText, item=part.item, text=text)
            case ItemCompleted():
                self._tell(commands.CompleteItem, item=part.item, provider_data=part.provider_data)
            case UsageReported():
                self._usage = part.usage
            case _:
                assert_never(part)

    def _failure(self, reason: ModelFailure, message: str) -> ModelFailed:
        provider = self._turn.settings.model_provider_id
        return ModelFailed(reason, message, provider=provider, retryable=True)

    def _asked_to_cancel(self) -> bool:
        standing = self._actor.standing
        turn = None if standing is None else standing.state.running
        return turn is not None and turn.cancel is not None and self._is_mine(turn)

    async def _cancel(self) -> None:
        """All is stopped: say so."""
        log.info("turn.cancelled")
        try:
            await self._ask(commands.AcknowledgeCancel, usage=self._usage)
        except TurnSuperseded:
            log.info("turn.superseded")

    async def _fail(
        self, code: str, message: str, *, provider: str | None = None, retryable: bool = False
    ) -> None:
        error = TurnError(code=code, message=message, provider=provider, retryable=retryable)
        try:
            await self._ask(commands.FailTurn, error=error, usage=self._usage)
        except TurnSuperseded:
            log.info("turn.superseded")

    async def _ask(self, command: type[RunnerCommand], **members: Any) -> RunningTurn | None:
        """Handle the command; the turn after it, None once it has ended."""
        standing, _ = await self._actor.ask(self._command(command, members))
        turn = standing.state.running
        return turn if turn is not None and self._is_mine(turn) else None

    def _tell(self, command: type[RunnerCommand], **members: Any) -> None:
        self._actor.tell(self._command(command, members))

    def _command(self, command: type[RunnerCommand], members: dict[str, Any]) -> RunnerCommand:
        return command(
            at=self._clock.now(), turn_id=self._turn.turn_id, attempt=self._turn.attempt, **members
        )

    def _is_mine(self, turn: RunningTurn) -> bool:
        return (turn.turn_id, turn.attempt) == (self._turn.turn_id, self._turn.attempt)
