"""Several processes on one port: each is a node, and one that dies is started again."""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable

import structlog

YOUNG_SECONDS = 5.0
SHORTEST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 30.0

_STOPS = (signal.SIGTERM, signal.SIGINT)
_NOTED = (*_STOPS, signal.SIGCHLD)
_SERVES = 0  # among the numbers of signals, of which none is 0: a worker has begun to serve

Work = Callable[[Callable[[], None]], int]
"""What a worker does: it calls what it is given once it serves, and returns its exit code."""

log = structlog.get_logger(__name__)


class Supervisor:
    """Keeps so many workers running. It has no event loop and no thread, since it forks.

    A signal only leaves a note, which is read when there is time for it.
    """

    def __init__(self, number: int, work: Work, ready: Callable[[], None]) -> None:
        """`ready` is called when the first worker serves."""
        self._number = number
        self._work = work
        self._ready = ready
        self._notes, self._note = os.pipe()
        self._life, self._living = os.pipe()
        self._born: dict[int, float] = {}
        self._serving = False
        self._stops = 0
        self._pause = 0.0
        self._not_before = 0.0
        self._code = 0

    def run(self) -> int:
        """Work until SIGTERM or SIGINT, which is passed on; a second one ends all at once.

        The first worker starts alone: what keeps it from serving would keep all, and ends
        all with its code. From then on a worker that ends is replaced, after a pause that
        grows while they die young.
        """
        os.set_blocking(self._note, False)
        signal.set_wakeup_fd(self._note, warn_on_full_buffer=False)
        for number in _NOTED:
            signal.signal(number, lambda *_: None)
        while True:
            self._start_missing()
            if not self._born and self._stops:
                return self._code
            if not select.select([self._notes], [], [], self._patience())[0]:
                continue
            for note in os.read(self._notes, 4096):
                if note == _SERVES and not self._serving:
                    self._serving = True
                    self._ready()
                elif note in _STOPS:
                    self._stop()
            self._bury()

    def _missing(self) -> int:
        wanted = 0 if self._stops else self._number if self._serving else 1
        return wanted - len(self._born)

    def _patience(self) -> float | None:
        """How long nothing has to be done unless there is a note."""
        return max(0.0, self._not_before - time.monotonic()) if self._missing() > 0 else None

    def _start_missing(self) -> None:
        if time.monotonic() >= self._not_before:
            for _ in range(self._missing()):
                self._start()

    def _start(self) -> None:
        # Until the child has its own ways with signals, it must not take one for its parent.
        signal.pthread_sigmask(signal.SIG_BLOCK, _NOTED)
        pid = os.fork()
        if not pid:
            self._be_worker()
        self._born[pid] = time.monotonic()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _NOTED)

    def _be_worker(self) -> None:
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for number in _NOTED:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _NOTED)
            os.close(self._living)
            threading.Thread(target=self._stop_with_parent, daemon=True).start()
            code = self._work(self._serves)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _serves(self) -> None:
        log.info("worker.serves", pid=os.getpid())
        os.write(self._note, bytes([_SERVES]))

    def _stop_with_parent(self) -> None:
        """The other end of the pipe is held by nobody but the parent, however it ends."""
        os.read(self._life, 1)
        os.kill(os.getpid(), signal.SIGTERM)

    def _stop(self) -> None:
        self._stops += 1
        for pid in self._born:
            os.kill(pid, signal.SIGTERM if self._stops == 1 else signal.SIGKILL)

    def _bury(self) -> None:
        """See to those who have ended, strangers too: a container's first process inherits them."""
        while self._born:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            if (born := self._born.pop(pid, None)) is not None:
                self._ended(pid, born, os.waitstatus_to_exitcode(status))

    def _ended(self, pid: int, born: float, code: int) -> None:
        if self._stops or (not self._serving and code > 0):
            self._code = max(self._code, code)
            self._stops = self._stops or 1
            return
        now = time.monotonic()
        young = now - born < YOUNG_SECONDS
        pause = max(SHORTEST_PAUSE_SECONDS, self._pause * 2) if young else 0.0
        self._pause = min(pause, LONGEST_PAUSE_SECONDS)
        self._not_before = now + self._pause
        log.warning("worker.ended", pid=pid, code=code)
