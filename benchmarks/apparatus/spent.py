"""What processes have cost so far, from /proc: processor time, memory, times they were woken."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import psutil

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def processor_seconds(pids: Iterable[int]) -> float:
    """utime + stime of the processes; of one that has gone, nothing."""
    return sum(_ticks(pid, 2) for pid in pids) / _TICK


def family_seconds(pid: int) -> float:
    """The same of a process and its children, those that have ended among them."""
    return (_ticks(pid, 4) / _TICK) + processor_seconds(children(pid))


def children(pid: int) -> list[int]:
    """The processes that it has started and that run."""
    return [child.pid for child in psutil.Process(pid).children()]


def memory_bytes(pid: int) -> int:
    """What it holds in memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE


def peak_bytes(pid: int) -> int:
    """The most that it held since `forget_peak`."""
    return _status(pid, "VmHWM") * 1024


def forget_peak(pid: int) -> None:
    """Let `peak_bytes` begin anew."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def wakeups(pid: int) -> int:
    """How often it has gone to sleep, and so was woken."""
    return _status(pid, "voluntary_ctxt_switches")


def _ticks(pid: int, fields: int) -> int:
    """utime and stime; with four fields also those of the children that were waited for."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(map(int, stat.rpartition(")")[2].split()[11 : 11 + fields]))


def _status(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    raise KeyError(name)
