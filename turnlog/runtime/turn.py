"""The agent loop of one turn: the model speaks, its tools run, and again, until it rests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import aclosing
from typing import Any, assert_never

import structlog

from turnlog.domain import commands
from turnlog.domain.codec import decode, well_formed
from turnlog.domain.commands import RunnerCommand
from turnlog.domain.conversation import OpenCall, RunningTurn
from turnlog.domain.errors import (
    ModelFailed,
    ModelFailure,
    StoreUnavailable,
    TurnlogError,
    TurnSuperseded,
)
from turnlog.domain.events import ToolCallRequested
from turnlog.domain.model import (
    ItemCompleted,
    ItemDelta,
    ItemStarted,
    ModelRequest,
    StepFinished,
    UsageReported,
)
from turnlog.domain.ports import Clock, ModelProvider
from turnlog.domain.values import TurnError, Usage
from turnlog.runtime.actor import STORE_RETRY_SECONDS, Actor
from turnlog.runtime.calls import ToolCalls
from turnlog.runtime.letters import Committed, pieces
from turnlog.runtime.prompting import Prompter

MAX_STEPS = 64

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
    ) -> None:
        """`model` may refuse; `stall_timeout`: for how many seconds it may say nothing."""
        self._actor = actor
        self._turn = turn
        self._model = model
        self._prompter = prompter
        self._calls = calls
        self._clock = clock
        self._stall_timeout = stall_timeout
        self._usage = Usage()

    async def run(self) -> None:
        """Bring the turn to its end; only cancelling this task leaves it open."""
        try:
            await self._loop()
        except ModelFailed as failure:
            log.warning("turn.failed", reason=failure.reason, provider=failure.provider)
            await self._fail(
                TurnError(
                    code=failure.reason,
                    message=well_formed(str(failure)),
                    provider=failure.provider,
                    retryable=failure.retryable,
                )
            )
        except TurnSuperseded:
            log.info("turn.superseded")
        except TurnlogError as refusal:
            log.warning("turn.refused", code=refusal.code)
            await self._fail(
                TurnError(code=refusal.code.lower(), message=str(refusal), retryable=False)
            )
        except Exception:
            log.exception("turn.crashed")
            message = "The server failed while it ran this turn; its log has the details."
            await self._fail(TurnError(code="internal_error", message=message, retryable=True))

    async def _loop(self) -> None:
        for _ in range(MAX_STEPS):
            finished, ended = await self._step()
            if calls := _calls(ended):
                await self._calls.run(self._turn, calls, _cut_off(ended))
            elif finished.stop_reason != "pause_turn":
                await self._ask(commands.CompleteTurn)
                return
        message = f"The turn took {MAX_STEPS} steps without an end."
        await self._fail(TurnError(code="step_limit", message=message, retryable=False))

    async def _step(self) -> tuple[StepFinished, Committed]:
        request = await self._request()
        await self._ask(commands.StartStep)
        started = self._clock.now()
        self._usage = Usage(estimated=True)
        finished = await self._listen(request)
        ended = await self._ask(
            commands.CompleteStep,
            usage=finished.usage,
            stop_reason=finished.stop_reason,
            duration_ms=(self._clock.now() - started) // 1000,
            response_id=finished.response_id,
        )
        self._usage = Usage()
        return finished, ended

    async def _request(self) -> ModelRequest:
        """The next step's request; a store that is away is waited for."""
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
                    self._hear(part)
                    watchdog.reschedule(None)
                    await self._actor.room()
                    watchdog.reschedule(time() + self._stall_timeout)
        except TimeoutError:
            message = f"The model said nothing for {self._stall_timeout:g} s."
            raise self._failure("stalled", message) from None
        raise self._failure("connection", "The model's answer ended before it was whole.")

    def _hear(self, part: ItemStarted | ItemDelta | ItemCompleted | UsageReported) -> None:
        match part:
            case ItemStarted():
                name = well_formed(part.name)
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

    async def _fail(self, error: TurnError) -> None:
        try:
            await self._ask(commands.FailTurn, error=error, usage=self._usage)
        except TurnSuperseded:
            log.info("turn.superseded")

    async def _ask(self, command: type[RunnerCommand], **members: Any) -> Committed:
        return await self._actor.ask(self._command(command, members))

    def _tell(self, command: type[RunnerCommand], **members: Any) -> None:
        self._actor.tell(self._command(command, members))

    def _command(self, command: type[RunnerCommand], members: dict[str, Any]) -> RunnerCommand:
        return command(
            at=self._clock.now(), turn_id=self._turn.turn_id, attempt=self._turn.attempt, **members
        )


def _calls(ended: Committed) -> Mapping[int, OpenCall]:
    """The calls that a step has made, by their items."""
    running = ended[0].state.running
    return {} if running is None else running.calls


def _cut_off(ended: Committed) -> set[int]:
    """Those of them that the provider had left open: the step's end had to close them."""
    facts = [decode(entry.topic, entry.state) for entry in ended[1]]
    return {fact.item for fact in facts if isinstance(fact, ToolCallRequested)}
