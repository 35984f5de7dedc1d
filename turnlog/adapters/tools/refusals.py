"""What a model is told when the disk says no: what was wrong, and what to do.

Paths are named as the model named them; a path of the server is never told.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from turnlog.adapters.tools.text import shown_name
from turnlog.domain.errors import ToolFailed

OUTSIDE = (
    "'{path}' is not inside the workspace. Paths are relative to the workspace's top folder, "
    "such as 'src/main.py'; absolute paths, and '..' or links that lead outside, are refused."
)
MISSING = "There is no '{path}' in the workspace. listFiles tells what is there."
NO_FOLDER = "'{path}' is not a folder, or a part of it is not. listFiles tells what is there."
IS_FOLDER = "'{path}' is a folder. Use listFiles to see what is in it, or name a file."
SPECIAL = "'{path}' is no regular file (a pipe, socket or device), so it is not opened."
UNTYPABLE = "'{path}' is no path: it holds a character that no file name can have."

READING = {
    0: "'{path}' could not be read: {reason}.",
    errno.EXDEV: OUTSIDE,
    errno.ENOENT: MISSING,
    errno.ENOTDIR: NO_FOLDER,
    errno.EISDIR: IS_FOLDER,
    errno.ENXIO: SPECIAL,
    errno.ENODEV: SPECIAL,
    errno.EINVAL: UNTYPABLE,
    errno.EACCES: "'{path}' may not be read: the server has no permission for it.",
    errno.EPERM: "'{path}' may not be read: the server has no permission for it.",
    errno.ELOOP: "'{path}' goes through too many links; one of them may point at itself.",
    errno.ENAMETOOLONG: "'{path}' is too long for a path.",
    errno.EAGAIN: "'{path}' was being changed all the while. Try again.",
}
"""By the number of the error; 0 for all others."""

NO_ROOM = "There is no room left on the disk for '{path}'."
PROTECTED = "'{path}' may not be changed: the server has no permission for it."
REPOSITORY = "'{path}' belongs to a repository of git (.git), which tools do not change."
THERE = "There is already a '{path}'. readFile shows it."
CHANGED = "'{path}' was changed by somebody else meanwhile. Read it again."

CHANGING = READING | {
    0: "'{path}' could not be changed: {reason}.",
    errno.ENOENT: "'{path}' cannot be: a folder on the way to it is missing, or has just gone.",
    errno.EISDIR: "'{path}' is a folder, and only files can be changed.",
    errno.EEXIST: THERE,
    errno.EACCES: PROTECTED,
    errno.EPERM: PROTECTED,
    errno.EROFS: "'{path}' may not be changed: it is on a disk that can only be read.",
    errno.ENOSPC: NO_ROOM,
    errno.EDQUOT: NO_ROOM,
}
LONGEST_SHOWN = 300


def refused(path: str, message: str, reason: str = "") -> ToolFailed:
    """One of the messages above, about this path."""
    name = shown_name(path)
    if len(name) > LONGEST_SHOWN:
        name = name[:LONGEST_SHOWN] + "…"
    return ToolFailed(message.format(path=name, reason=reason))


@contextmanager
def told(path: str, messages: Mapping[int, str] = READING) -> Iterator[None]:
    """Turn any `OSError` inside into a `ToolFailed` about this path."""
    try:
        yield
    except OSError as error:
        message = messages.get(error.errno or 0, messages[0])
        raise refused(path, message, error.strerror or "unknown error") from error
