"""Names that last for a moment, and what becomes of them when their process dies in it."""

from __future__ import annotations

import fcntl
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice

from turnlog.adapters.tools.walk import FULLEST

TEMPORARY = re.compile(r"\.turnlog-[0-9a-f]{16}\.tmp")


def temporary_name() -> str:
    """One that no other file has."""
    return f".turnlog-{secrets.token_hex(8)}.tmp"


@contextmanager
def naming(folder: int) -> Iterator[None]:
    """Within this, temporary names may stand in the open folder.

    A lock says so to other processes, and goes with its process. So who finds the
    folder without one knows that whatever has such a name is of the dead, and removes
    it. Where folders cannot be locked, nothing is removed.
    """
    try:
        if _locked(folder, fcntl.LOCK_EX):
            _sweep(folder)
        _locked(folder, fcntl.LOCK_SH)
        yield
    finally:
        _locked(folder, fcntl.LOCK_UN)


def settle(folder: int) -> None:
    """Have the names in the folder survive a failure of the power, if the disk can promise it."""
    try:
        os.fsync(folder)
    except OSError:
        pass  # the change is made all the same


def _locked(folder: int, lock: int) -> bool:
    try:
        fcntl.flock(folder, lock | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _sweep(folder: int) -> None:
    try:
        with os.scandir(folder) as entries:
            names = [
                entry.name
                for entry in islice(entries, FULLEST)
                if TEMPORARY.fullmatch(entry.name) and entry.is_file(follow_symlinks=False)
            ]
        for name in names:
            os.unlink(name, dir_fd=folder)
    except OSError:
        pass  # no permission, or gone already: it is not what was asked for
