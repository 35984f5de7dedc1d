"""Processes of this machine, told apart even where their ids are used again."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

from turnlog.domain.records import Process

_PROC = Path("/proc")
_PID_BITS = 22  # Linux: PID_MAX_LIMIT is 2²²
_START_FIELD = 19  # of those after the name: field 22 of proc_pid_stat(5)


def this_process() -> Process:
    """This process. Where the machine cannot be told, nobody is beside it.

    A machine is one boot of a kernel, as seen from one namespace of process ids.
    """
    pid = os.getpid()
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        namespace = os.readlink(_PROC / "self/ns/pid")
        return Process(machine=f"{boot} {namespace}", process=_identity(pid))
    except OSError:
        return Process(machine=str(uuid.uuid4()), process=pid)


def is_alive(process: int) -> bool:
    """Whether the process, which was on this machine, still is. A zombie is not."""
    try:
        return _identity(process & ((1 << _PID_BITS) - 1)) == process
    except OSError:
        return False


def _identity(pid: int) -> int:
    """The process id with the time of its start, in ticks since the boot; raises OSError."""
    # The name in it may be any bytes.
    stat = (_PROC / str(pid) / "stat").read_bytes()
    fields = stat.rpartition(b")")[2].split()
    if fields[0] in (b"Z", b"X"):
        raise ProcessLookupError(pid)
    return int(fields[_START_FIELD]) << _PID_BITS | pid
