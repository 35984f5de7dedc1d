"""When a model's failure is tried again, and after what pause."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    wait_random_exponential,
)

from turnlog.domain.errors import ModelFailed

MAX_TRIES = 5
LONGEST_PAUSE_SECONDS = 60.0


def several_tries(
    *,
    before_sleep: Callable[[RetryCallState], Awaitable[None]],
    sleep: Callable[[float], Awaitable[None]],
) -> AsyncRetrying:
    """Calls a coroutine function until it succeeds, or fails in a way that will not pass."""
    return AsyncRetrying(
        retry=retry_if_exception(_may_pass),
        stop=stop_after_attempt(MAX_TRIES),
        wait=_pause,
        before_sleep=before_sleep,
        sleep=sleep,
        reraise=True,
    )


def _may_pass(error: BaseException) -> bool:
    """Whether it is worth trying again, and within a time that a client would wait for."""
    if not isinstance(error, ModelFailed) or not error.retryable:
        return False
    return error.retry_after is None or error.retry_after <= LONGEST_PAUSE_SECONDS


def _pause(state: RetryCallState) -> float:
    """How long to wait before trying again: what the provider asked for, or longer each time."""
    failure = state.outcome and state.outcome.exception()
    asked = failure.retry_after if isinstance(failure, ModelFailed) else None
    return max(asked or 0.0, _BACKOFF(state))


_BACKOFF = wait_random_exponential(multiplier=0.5, max=LONGEST_PAUSE_SECONDS)
