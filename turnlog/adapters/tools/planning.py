"""What a patch would make of the workspace, worked out before anything is written."""

from __future__ import annotations

import os
from dataclasses import dataclass

from turnlog.adapters.tools.changes.commit import Change
from turnlog.adapters.tools.changes.places import Place, Places
from turnlog.adapters.tools.changes.seen import changeable, same
from turnlog.adapters.tools.patches.applying import Applied, applied
from turnlog.adapters.tools.patches.patch import FilePatch
from turnlog.adapters.tools.refusals import CHANGED, MISSING, THERE, refused, told
from turnlog.adapters.tools.text import shown_name
from turnlog.adapters.tools.text_files import refuse_binary
from turnlog.adapters.tools.watch import Watch
from turnlog.adapters.tools.workspace import open_in

FILE_LIMIT = 4 * 1024 * 1024
ALL_LIMIT = 16 * 1024 * 1024
"""Bytes of all files that one patch changes, which are in memory together."""

TWICE = "'{path}' is in the patch twice. Put all that is to become of it in one place."
LINK = "'{path}' is a link, and only files are renamed or deleted. Name the file itself."
LEFT = "'{path}' is to be deleted, but the patch does not have all of its lines: {reason} are left."
TOO_LARGE = "'{path}' has {reason} bytes, and only smaller files are patched."
TOO_MUCH = "The files of the patch are too large together. Give it in several parts."
NO_CHANGE = "The patch says nothing of what is to become of '{path}'."


@dataclass(frozen=True)
class Planned:
    """A change, and what to tell the model once it is made."""

    change: Change
    words: str


class Planner:
    """Plans the files of one patch."""

    def __init__(self, places: Places, watch: Watch) -> None:
        self._places = places
        self._watch = watch
        self._taken: set[tuple[int, int, str]] = set()
        self._left = ALL_LIMIT

    def plan(self, file: FilePatch) -> Planned:
        """What is to become of that file; raises `ToolFailed`."""
        self._watch.look()
        if file.source is None:
            return self._new(file, file.target or "")
        place = self._take(file.source)
        seen = changeable(place)
        if seen is None:
            raise refused(file.source, MISSING)
        if file.target is None:
            return self._gone(file, place, seen)
        target = place
        if file.target != file.source and self._places.find(file.target).key() != place.key():
            target = self._free(file.target)
        if target is not place and place.linked:
            raise refused(file.source, LINK)
        if target is place and not file.hunks and file.executable is None:
            raise refused(file.path, NO_CHANGE)
        result = None
        if file.hunks or file.executable is not None:
            result = self._applied(self._content(place, seen), file)
        data = None if result is None else result.data
        renamed = "" if target is place else f" -> {shown_name(file.target)}"
        verb = "renamed" if renamed else "updated"
        words = f"{verb} {shown_name(file.source)}{renamed}{_figures(result)}"
        return Planned(Change(place, seen, target, data, file.executable), words)

    def _new(self, file: FilePatch, path: str) -> Planned:
        place = self._free(path)
        result = self._applied(b"", file)
        words = f"created {shown_name(path)}{_figures(result)}"
        return Planned(Change(place, None, place, result.data, file.executable), words)

    def _gone(self, file: FilePatch, place: Place, seen: os.stat_result) -> Planned:
        if place.linked:
            raise refused(place.path, LINK)
        if file.whole:
            result = self._applied(self._content(place, seen), file)
            if result.data:
                left = result.data.count(b"\n") + (not result.data.endswith(b"\n"))
                raise refused(place.path, LEFT, f"{left:,}")
        return Planned(Change(place, seen, None), f"deleted {shown_name(place.path)}")

    def _take(self, path: str) -> Place:
        """The place, which no other part of the patch may be about."""
        place = self._places.find(path)
        key = place.key()
        if key in self._taken:
            raise refused(path, TWICE)
        self._taken.add(key)
        return place

    def _free(self, path: str) -> Place:
        """The place, if nothing is there yet."""
        place = self._take(path)
        if place.status() is not None:
            raise refused(path, THERE)
        return place

    def _applied(self, data: bytes, file: FilePatch) -> Applied:
        result = applied(data, file, self._watch)
        self._spend(len(result.data))
        return result

    def _content(self, place: Place, seen: os.stat_result) -> bytes:
        """All that is in the file."""
        if seen.st_size > FILE_LIMIT:
            raise refused(place.path, TOO_LARGE, f"{seen.st_size:,}")
        self._spend(seen.st_size)
        with open_in(place.folder, place.name, place.path) as opened, told(place.path):
            refuse_binary(opened, place.path)
            data = opened.read(seen.st_size + 1)
            if len(data) != seen.st_size or not same(seen, os.fstat(opened.fileno())):
                raise refused(place.path, CHANGED)
        return data

    def _spend(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise refused("", TOO_MUCH)


def _figures(result: Applied | None) -> str:
    if result is None:
        return ""
    told = f" (+{result.added} -{result.removed})"
    return told + "".join(
        f", hunk {number} at line {line}" for number, line in result.elsewhere[:10]
    )
