"""Opening a path that may not leave a folder: resolution and opening are one act.

Nothing here looks at a path first and opens it afterwards, so no one can swap
a folder for a link in between. Links are followed as long as they stay
beneath the folder; absolute links, and `..` above the folder, raise
`OSError` with EXDEV, as openat2(2) does.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from collections.abc import Callable
from contextlib import ExitStack

Opener = Callable[[int, str, int], int]
"""(folder, path, flags) to a descriptor; raises `OSError`."""

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
HANDLE = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC

# <linux/openat2.h>; the call has this number on every architecture that counts from 424 in common.
SYS_OPENAT2 = 437
RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_BENEATH = 0x08
RACES = 64
LINKS = 40


class OpenHow(ctypes.Structure):
    """`struct open_how` of openat2(2)."""

    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


def best_opener(folder: int) -> Opener:
    """`open_by_kernel` where the kernel (5.6 or newer) lets us, else `open_step_by_step`."""
    if not sys.platform.startswith("linux"):
        return open_step_by_step
    try:
        os.close(open_by_kernel(folder, ".", HANDLE))
    except (OSError, AttributeError):
        return open_step_by_step
    return open_by_kernel


def open_by_kernel(folder: int, path: str, flags: int) -> int:
    """Open by openat2(2): the kernel itself keeps the path beneath the folder."""
    syscall = ctypes.CDLL(None, use_errno=True).syscall
    syscall.restype = ctypes.c_long
    how = OpenHow(flags=flags, mode=0, resolve=RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS)
    number, at, name = ctypes.c_long(SYS_OPENAT2), ctypes.c_int(folder), os.fsencode(path)
    size = ctypes.c_size_t(ctypes.sizeof(how))
    # EAGAIN says that a rename elsewhere kept the kernel from being sure about a `..`.
    for _ in range(RACES):
        descriptor: int = syscall(number, at, name, ctypes.byref(how), size)
        if descriptor >= 0:
            return descriptor
        if ctypes.get_errno() not in (errno.EAGAIN, errno.EINTR):
            break
    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def open_step_by_step(folder: int, path: str, flags: int) -> int:
    """The same promise without openat2: one component at a time, never through a link.

    A link is read, and its target walked in its place. `..` goes back to a
    descriptor that was opened on the way, not to what the disk says now.
    """
    steps = _steps(path)
    links = 0
    with ExitStack() as opened:
        trail = [folder]
        while steps:
            step = steps.pop()
            if step == ".":
                continue
            if step == "..":
                if len(trail) == 1:
                    raise _outside()
                trail.pop()
                continue
            try:
                here = os.open(step, (HANDLE if steps else flags) | os.O_NOFOLLOW, dir_fd=trail[-1])
            except OSError as error:
                target = _link(step, trail[-1])
                if target is None:
                    raise
                links += 1
                if links > LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP)) from error
                steps += _steps(target)
                continue
            if not steps:
                return here
            opened.callback(os.close, here)
            trail.append(here)
        return os.open(".", flags, dir_fd=trail[-1])


def _steps(path: str) -> list[str]:
    """The components, the last one first; what stands before a slash must be a folder."""
    if path.startswith("/"):
        raise _outside()
    return [step or "." for step in reversed(path.split("/"))]


def _link(name: str, folder: int) -> str | None:
    try:
        return os.readlink(name, dir_fd=folder)
    except OSError:
        return None


def _outside() -> OSError:
    return OSError(errno.EXDEV, os.strerror(errno.EXDEV))
