"""What was seen of a file, to know later whether it is still that, unchanged."""

from __future__ import annotations

import os
import stat
from dataclasses import replace

from turnlog.adapters.tools.changes.places import Place
from turnlog.adapters.tools.refusals import (
    CHANGED,
    CHANGING,
    IS_FOLDER,
    PROTECTED,
    SPECIAL,
    refused,
    told,
)


def changeable(place: Place) -> os.stat_result | None:
    """Of the regular file there, None if nothing is there.

    Raises `ToolFailed` for anything else, and for a file that the server may not
    write to: putting another in its place would go around its permissions.
    """
    status = place.status()
    if status is None:
        return None
    if stat.S_ISDIR(status.st_mode):
        raise refused(place.path, IS_FOLDER)
    if not stat.S_ISREG(status.st_mode):
        raise refused(place.path, SPECIAL)
    with told(place.path, CHANGING):
        if not os.access(place.name, os.W_OK, dir_fd=place.folder, effective_ids=True):
            raise refused(place.path, PROTECTED)
    return status


def same(one: os.stat_result, other: os.stat_result | None) -> bool:
    """Whether both are of one file, in which nothing was written between them."""
    return other is not None and _mark(one) == _mark(other)


def still(place: Place, name: str, seen: os.stat_result) -> None:
    """Raise `ToolFailed` unless the file of that name in the place's folder is the one seen."""
    if not same(seen, replace(place, name=name).status()):
        raise refused(place.path, CHANGED)


def _mark(status: os.stat_result) -> tuple[int, ...]:
    # Not the time of the last change of all: giving a file a further name changes it too.
    return status.st_dev, status.st_ino, status.st_mode, status.st_size, status.st_mtime_ns
