"""The steps of a turn: the model is asked, and what it says is told to the actor."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any, assert_never

import structlog
from tenacity import RetryCallState

from turnlog.domain import commands
from turnlog.domain.codec import pieces, well_formed
from turnlog.domain.errors import ModelFailed, ModelFailure, StoreUnavailable
from turnlog.domain.model import (
    ItemCompleted,
    ItemDelta,
    ItemStarted,
    ModelRequest,
    StepFinished,
    UsageReported,
)
from turnlog.domain.ports import ModelProvider
from turnlog.domain.turn import RunningTurn
from turnlog.domain.values import Usage
from turnlog.runtime.actor import STORE_RETRY_SECONDS
from turnlog.runtime.attempt import Attempt
from turnlog.runtime.prompting import Prompter
from turnlog.runtime.retries import several_tries
from turnlog.runtime.toolbox import Offers, Toolbox

MAX_NAME = 256

log = structlog.get_logger(__name__)


class Steps:
    """The steps of one attempt; `usage` is what the unfinished one has cost so far."""

    def __init__(
        self,
        attempt: Attempt,
        *,
        model: Callable[[], ModelProvider],
        prompter: Prompter,
        toolbox: Toolbox,
        stall_timeout: float,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        """`model` may refuse; it may say nothing for `stall_timeout` seconds, or for one
        hundredth less: the watchdog is not moved for each part, which would cost more than
        the part.
        """
        self.usage = Usage()
        self._attempt = attempt
        self._model = model
        self._prompter = prompter
        self._toolbox = toolbox
        self._stall_timeout = stall_timeout
        self._sleep = sleep
        self._offers: Offers | None = None
        self._names: dict[int, str] = {}

    async def offers(self) -> Offers:
        """What the model was offered in its last step, or would be in the next."""
        return await self._look_for_tools() if self._offers is None else self._offers

    async def next(self) -> RunningTurn | None:
        """One step, tried again after failures that may pass; the turn after it.

        Raises `ModelFailed`.
        """
        tries = several_tries(before_sleep=self._retrying, sleep=self._sleep)
        return await tries(self._try)

    async def _try(self) -> RunningTurn | None:
        clock = self._attempt.clock
        started = clock.now()
        await self._attempt.ask(commands.StartStep)
        # Read after the step's start is on disk: what is told from then on wants another step.
        request = await self._request()
        self.usage = Usage(estimated=True)
        finished = await self._listen(request)
        turn = await self._attempt.ask(
            commands.CompleteStep,
            usage=finished.usage,
            stop_reason=finished.stop_reason,
            duration_ms=(clock.now() - started) // 1000,
            response_id=finished.response_id,
        )
        self.usage = Usage()
        return turn

    async def _retrying(self, state: RetryCallState) -> None:
        failure = state.outcome and state.outcome.exception()
        pause = state.next_action.sleep if state.next_action else 0.0
        reason = failure.reason if isinstance(failure, ModelFailed) else "unknown"
        log.info("turn.retrying", reason=reason, retry=state.attempt_number)
        usage, self.usage = self.usage, Usage()
        await self._attempt.ask(
            commands.RetryStep,
            reason=reason,
            delay_ms=int(pause * 1000),
            retry=state.attempt_number,
            usage=usage if usage.input_tokens or usage.output_tokens else None,
        )

    async def _request(self) -> ModelRequest:
        """The step's request; a store that is away is waited for."""
        offers = await self._look_for_tools()
        specs = tuple(offer.spec for offer in offers.values())
        while True:
            try:
                return await self._prompter.request(self._attempt.turn, specs)
            except StoreUnavailable:
                log.warning("turn.store_unavailable")
                await asyncio.sleep(STORE_RETRY_SECONDS)

    async def _look_for_tools(self) -> Offers:
        self._offers = await self._toolbox.offers(self._attempt.turn.settings.tools)
        return self._offers

    async def _listen(self, request: ModelRequest) -> StepFinished:
        """Tell the actor what the model says. The watchdog rests while the disk is waited for."""
        time, actor = asyncio.get_running_loop().time, self._attempt.actor
        due = 0.0
        try:
            async with (
                asyncio.timeout(self._stall_timeout) as watchdog,
                aclosing(self._model().stream(request)) as parts,
            ):
                async for part in parts:
                    if isinstance(part, StepFinished):
                        return part
                    if isinstance(part, ItemCompleted):
                        watchdog.reschedule(None)
                        part = await self._prompter.kept(part)
                    self._hear(part)
                    if actor.is_full:
                        watchdog.reschedule(None)
                        await actor.room()
                    if (now := time()) > due or watchdog.when() is None:
                        watchdog.reschedule(now + self._stall_timeout)
                        due = now + self._stall_timeout / 100
        except TimeoutError:
            message = f"The model said nothing for {self._stall_timeout:g} s."
            raise self._failure("stalled", message) from None
        raise self._failure("connection", "The model's answer ended before it was whole.")

    def _hear(self, part: ItemStarted | ItemDelta | ItemCompleted | UsageReported) -> None:
        tell = self._attempt.tell
        match part:
            case ItemStarted():
                name = self._names[part.item] = well_formed(part.name)[:MAX_NAME]
                tell(commands.StartItem, item=part.item, kind=part.kind, name=name)
            case ItemDelta():
                for text in pieces(well_formed(part.text)):
                    tell(commands.AppendText, item=part.item, text=text)
            case ItemCompleted():
                given = part.provider_data
                terms = self._terms(part.item)
                tell(commands.CompleteItem, item=part.item, provider_data=given, **terms)
            case UsageReported():
                self.usage = part.usage
            case _:
                assert_never(part)

    def _terms(self, item: int) -> dict[str, Any]:
        """Where an item that is a call will run, and what that takes."""
        offer = self._offers.get(self._names[item]) if self._offers else None
        if offer is None:
            return {}
        return {
            "runs_on": offer.runs_on,
            "approval": offer.approval,
            "repeatable": offer.spec.repeatable,
        }

    def _failure(self, reason: ModelFailure, message: str) -> ModelFailed:
        provider = self._attempt.turn.settings.model_provider_id
        return ModelFailed(reason, message, provider=provider, retryable=True)
