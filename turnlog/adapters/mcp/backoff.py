"""How long a server that fails is left alone."""

from __future__ import annotations

from collections.abc import Callable

LONGEST_SECONDS = 60.0
QUIET_SECONDS = 600.0


class Backoff:
    """Counts failures since the last success, or ten quiet minutes.

    `now` is a clock that never goes back, in seconds.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._failures = 0
        self._last = now()
        self._not_before = 0.0

    def pause(self) -> float:
        """Seconds until the next try; 0 if it may be made now."""
        return max(0.0, self._not_before - self._now()) if self._failures else 0.0

    def failed(self) -> None:
        """The first failure costs no time; then it is 1 s, 2 s, 4 s, a minute at most."""
        now = self._now()
        self._failures = self._failures + 1 if now - self._last < QUIET_SECONDS else 1
        self._last = now
        if self._failures > 1:
            seconds = min(LONGEST_SECONDS, 2.0 ** min(self._failures - 2, 10))
            self._not_before = now + seconds
        else:
            self._not_before = 0.0

    def reset(self) -> None:
        """It works."""
        self._failures = 0
