"""Two files of a folder that trade names, so that what was replaced is still there.

What comes out can be compared with what was expected, and be put back: it is
how a file that somebody changes at the last moment is not lost.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable

from turnlog.adapters.tools.changes.leftovers import temporary_name

Exchange = Callable[[int, str, str], None]
"""(folder, temporary name, name); raises `OSError`, and then nothing has changed."""

# <linux/fs.h>
RENAME_EXCHANGE = 2
CANNOT = frozenset({errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP})


def exchange(folder: int, temporary: str, name: str) -> None:
    """At once where kernel and file system can, otherwise step by step."""
    try:
        exchange_by_kernel(folder, temporary, name)
    except OSError as error:
        if error.errno not in CANNOT:
            raise
        exchange_step_by_step(folder, temporary, name)


def exchange_by_kernel(folder: int, temporary: str, name: str) -> None:
    """By renameat2(2)."""
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS)) from None
    at = ctypes.c_int(folder)
    flags = ctypes.c_uint(RENAME_EXCHANGE)
    if renameat2(at, os.fsencode(temporary), at, os.fsencode(name), flags):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def exchange_step_by_step(folder: int, temporary: str, name: str) -> None:
    """By a third name for the old file. `name` is never without a file.

    A file that somebody puts there between the first two steps is lost.
    """
    third = temporary_name()
    os.link(name, third, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
    try:
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        os.unlink(third, dir_fd=folder)
        raise
    try:
        os.rename(third, temporary, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        os.rename(third, name, src_dir_fd=folder, dst_dir_fd=folder)
        raise
