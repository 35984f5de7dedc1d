"""What a model is told when the disk says no: what was wrong, and what to do.

Paths are named as the model named them; a path of the server is never told.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
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

MESSAGES = {
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
OTHERWISE = "'{path}' could not be read: {reason}."
LONGEST_SHOWN = 300


def refused(path: str, message: str, reason: str = "") -> ToolFailed:
    """One of the messages above, about this path."""
    name = shown_name(path)
    if len(name) > LONGEST_SHOWN:
        name = name[:LONGEST_SHOWN] + "…"
    return ToolFailed(message.format(path=name, reason=reason))


@contextmanager
def told(path: str) -> Iterator[None]:
    """Turn any `OSError` inside into a `ToolFailed` about this path."""
    try:
        yield
    except OSError as error:
        message = MESSAGES.get(error.errno or 0, OTHERWISE)
        raise refused(path, message, error.strerror or "unknown error") from error
