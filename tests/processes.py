"""Finding processes by a mark in their command line, and waiting until they have ended."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

PATIENCE = 30.0  # seconds; nothing here takes so long unless it fails


def new_mark() -> str:
    """A number of seconds to sleep, which is too long for any test and is nobody else's."""
    return f"{10**6}.{uuid4().int % 10**12}"


def marked(mark: str) -> list[int]:
    """The processes with the mark in their arguments. Zombies have none."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if mark.encode() in (folder / "cmdline").read_bytes():
                    found.append(int(folder.name))
            except OSError:
                continue
    return found


def wait_until_gone(mark: str) -> None:
    """Wait for the end of each process with the mark; fails if one stays."""
    deadline = time.monotonic() + PATIENCE
    while pids := marked(mark):
        for pid in pids:
            with handle(pid) as ended:
                patience = max(0.0, deadline - time.monotonic())
                assert select.select([ended], [], [], patience)[0], f"process {pid} lives on"


@contextmanager
def handle(pid: int) -> Iterator[int]:
    """A descriptor that can be read when the process has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        descriptor = os.open(os.devnull, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def kill_all(mark: str) -> None:
    """For the end of a test that failed."""
    for pid in marked(mark):
        try:
            os.kill(pid, 9)
        except ProcessLookupError:
            continue


def descriptors() -> int:
    """How many files this process has open."""
    return len(os.listdir("/proc/self/fd"))


def zombies() -> list[int]:
    """The children of this process that have ended, and of which it took no note."""
    found = []
    for thread in Path("/proc/self/task").iterdir():
        for pid in (thread / "children").read_text().split():
            try:
                state = (Path("/proc") / pid / "stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            if state == "Z":
                found.append(int(pid))
    return found
