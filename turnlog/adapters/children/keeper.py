"""The keeper: runs a command, and lets nothing of it live on once it, or the parent, has ended.

A program of its own, on the standard library alone, for Linux from 5.3 on:

    python -I -S keeper.py PARENT [LIMIT=NUMBER ...] -- COMMAND [ARGUMENT ...]

It exits as a shell does: with the command's code, or with 128 and the signal that ended it.
What the command left running is killed before. The same happens to all of it, at once, when
the process PARENT ends, in whatever way, and on SIGTERM.

Whose parent has died becomes a child of the keeper (`PR_SET_CHILD_SUBREAPER`), sessions and
double forks notwithstanding; so the keeper kills its children until it has none. There are
two, one below the other: if the command kills the one that is its parent, the other is left.
"""

from __future__ import annotations

import ctypes
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Callable, Sequence

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
ENDINGS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
SHORTEST_PAUSE = 0.001
LONGEST_PAUSE = 0.25
CANNOT_KEEP = 125
CANNOT_RUN = 127
ENDED = 128 + signal.SIGTERM


def main(arguments: Sequence[str]) -> int:
    """Keep the command; the exit code."""
    cut = arguments.index("--")
    command = list(arguments[cut + 1 :])
    limits = dict(limit.split("=") for limit in arguments[1:cut])
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    if os.getpgrp() != os.getpid():
        os.setsid()
    keeper = os.getpid()
    group = make_group(limits.pop("processes", ""))

    def keep_below() -> int:
        return keep(lambda: become(command, limits, group), keeper, group)

    return keep(keep_below, int(arguments[0]), group)


def keep(run: Callable[[], int], parent: int, group: str | None) -> int:
    """Run it in a child; its exit code, when nothing of it is left, nor its control group."""
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    try:
        life = os.pidfd_open(parent)
    except ProcessLookupError:
        return ENDED
    # Asked when the descriptor is there already: so it is the parent's, and of no later process.
    if os.getppid() != parent:
        return ENDED
    notes, note = os.pipe()
    os.set_blocking(note, False)
    signal.set_wakeup_fd(note, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, *ENDINGS):
        signal.signal(number, lambda *_: None)
    child = start(run)
    let_go()
    code = None
    while code is None:
        ready, _, _ = select.select([life, notes], [], [])
        if life in ready or not set(os.read(notes, 4096)) <= {signal.SIGCHLD}:
            break
        code = bury().get(child)
    end_all()
    remove_group(group)
    return ENDED if code is None else code


def start(run: Callable[[], int]) -> int:
    """A child in a session of its own, which ends with the code that `run` returns; its id."""
    pid = os.fork()
    if pid:
        return pid
    code = CANNOT_KEEP
    try:
        signal.set_wakeup_fd(-1)
        os.setsid()
        code = run()
    except Exception as error:
        os.write(2, f"The command cannot be kept: {error!r}\n".encode(errors="replace"))
    finally:
        os._exit(code)


def let_go() -> None:
    """Hold neither the pipes of the command nor its folder."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    os.close(nothing)
    os.chdir("/")


def become(command: list[str], limits: dict[str, str], group: str | None) -> int:
    """Turn into the command, within the limits; returns only if that cannot be."""
    keeper = os.getppid()
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != keeper:
        return ENDED
    # Python ignores SIGPIPE and SIGXFSZ, and the command would inherit that.
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    try:
        if group:
            write(f"{group}/cgroup.procs", "0")
        for name, limit in limits.items():
            set_limit(name, limit)
        os.execvp(command[0], command)
    except OSError as error:
        os.write(2, f"{command[0]} cannot be run: {error.strerror}\n".encode(errors="replace"))
    return CANNOT_RUN


def set_limit(name: str, limit: str) -> None:
    """`oom` is how soon it dies where memory is short; others are named as by setrlimit(2)."""
    if name == "oom":
        write("/proc/self/oom_score_adj", limit)
        return
    kind: int = getattr(resource, f"RLIMIT_{name.upper()}")
    _, hard = resource.getrlimit(kind)
    most = int(limit) if hard == resource.RLIM_INFINITY else min(int(limit), hard)
    resource.setrlimit(kind, (most, most))


def make_group(processes: str) -> str | None:
    """A control group for so many processes, if this process may make one.

    That is for root, for whom RLIMIT_NPROC does not hold.
    """
    if not processes:
        return None
    with open("/proc/self/cgroup") as lines:
        own = dict(line.rstrip("\n").split(":", 2)[1:] for line in lines)
    root = f"/sys/fs/cgroup/pids{own['pids']}" if "pids" in own else f"/sys/fs/cgroup{own.get('')}"
    group = f"{root.rstrip('/')}/turnlog-{os.getpid()}"
    try:
        os.mkdir(group)
    except OSError:
        return None
    try:
        write(f"{group}/pids.max", processes)
    except OSError:
        remove_group(group)
        return None
    return group


def remove_group(group: str | None) -> None:
    """Remove the control group, if there is one. It is empty."""
    try:
        if group:
            os.rmdir(group)
    except OSError:
        pass


def end_all() -> None:
    """Kill what is below, and what comes up from further below by that, until nothing is left."""
    pause = SHORTEST_PAUSE
    while True:
        for child in children():
            kill(child)
        if bury():
            pause = SHORTEST_PAUSE
        elif is_childless():
            return
        else:
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)


def kill(child: int) -> None:
    """Kill it and its group. A group is killed as one: none of it can fork in between."""
    try:
        if (group := os.getpgid(child)) != os.getpgrp():
            os.killpg(group, signal.SIGKILL)
        os.kill(child, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


def children() -> list[int]:
    """The direct children; some may be missing while others end."""
    own = os.getpid()
    try:
        with open(f"/proc/self/task/{own}/children") as line:
            return [int(pid) for pid in line.read().split()]
    except FileNotFoundError:
        return [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and parent(pid) == own]


def parent(pid: str) -> int | None:
    """Whose child it is; the second field after the name in proc_pid_stat(5)."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            return int(stat.read().rpartition(b")")[2].split()[1])
    except OSError:
        return None


def is_childless() -> bool:
    """Whether there is no child, be it a zombie."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return True
    return False


def bury() -> dict[int, int]:
    """Take note of the children that have ended: their exit codes, by id."""
    codes: dict[int, int] = {}
    try:
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            code = os.waitstatus_to_exitcode(ended[1])
            codes[ended[0]] = code if code >= 0 else 128 - code
    except ChildProcessError:
        pass
    return codes


def prctl(option: int, value: int) -> None:
    """Raises `OSError`."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


def write(path: str, text: str) -> None:
    """Into a file of the kernel; raises `OSError`."""
    with open(path, "w") as file:
        file.write(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
