"""A slow disk."""

from __future__ import annotations

import threading
from types import TracebackType


class Held:
    """A call of the kernel that waits until it is told to go on, or the test is over."""

    def __init__(self) -> None:
        self.arrived = threading.Event()
        self.go_on = threading.Event()

    def __call__(self, *_: object) -> None:
        self.arrived.set()
        self.go_on.wait()

    def __enter__(self) -> Held:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.go_on.set()
