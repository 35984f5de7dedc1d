"""The folder that tools may see, and nothing outside it.

Links that stay inside are followed, others refused; see `beneath`. Hard links
and mounts inside the folder are the operator's own doing, and count as inside.
"""

from __future__ import annotations

import errno
import os
import stat
import weakref
from io import BufferedReader, FileIO

from turnlog.adapters.tools.beneath import FOLDER, HANDLE, Opener, best_opener
from turnlog.adapters.tools.refusals import IS_FOLDER, SPECIAL, refused, told

# Never waiting: a pipe without a writer would hold the thread for ever.
FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
BUFFER = 64 * 1024
LONGEST_PATH = 4096


class Workspace:
    """One folder, opened once: if its path is renamed later, it stays the same folder."""

    def __init__(self, root: str | os.PathLike[str], *, opener: Opener | None = None) -> None:
        """Raises `OSError` if `root` is no folder; `opener` is for tests."""
        self._root = os.open(root, HANDLE)
        status = os.fstat(self._root)
        self.identity = (status.st_dev, status.st_ino)
        """Of the folder: its device and number."""
        # Closed only when no thread can still use it: its number may be given to another file.
        weakref.finalize(self, os.close, self._root)
        self._opener = opener or best_opener(self._root)

    def open(self, path: str, flags: int) -> int:
        """A descriptor of what stands at `path`; raises `OSError`, EXDEV for outside."""
        check_path(path)
        return self._opener(self._root, path or ".", flags)

    def open_folder(self, path: str) -> int:
        """A descriptor of the folder; raises `ToolFailed`."""
        with told(path):
            return self.open(path, FOLDER)

    def open_file(self, path: str) -> BufferedReader:
        """The regular file at `path`; raises `ToolFailed`, also for anything else there."""
        with told(path):
            return regular(self.open(path, FILE), path)


def check_path(path: str) -> None:
    """Raise `OSError` if no file can have this path, whatever is on the disk."""
    try:
        name = os.fsencode(path)
    except UnicodeEncodeError:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL)) from None
    if b"\0" in name:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    if len(name) >= LONGEST_PATH:
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))


def open_in(folder: int, name: str, path: str) -> BufferedReader:
    """The regular file of that name in an open folder, no link; raises `ToolFailed`."""
    with told(path):
        return regular(os.open(name, FILE | os.O_NOFOLLOW, dir_fd=folder), path)


def regular(descriptor: int, path: str) -> BufferedReader:
    """The reader of a regular file; the descriptor is closed if it is anything else."""
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise refused(path, IS_FOLDER)
        if not stat.S_ISREG(mode):
            raise refused(path, SPECIAL)
        return BufferedReader(FileIO(descriptor, "rb"), BUFFER)
    except BaseException:
        os.close(descriptor)
        raise
