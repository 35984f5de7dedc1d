"""Going through a folder by descriptors: in a fixed order, and never through a link."""

from __future__ import annotations

import os
from collections.abc import Generator
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from turnlog.adapters.tools.beneath import FOLDER
from turnlog.adapters.tools.output import Output
from turnlog.adapters.tools.watch import Watch

Kind = Literal["file", "folder", "link", "special"]

HIDDEN = frozenset({".git"})
DEEPEST = 64
FULLEST = 50_000
"""So many entries of one folder are looked at; sorting needs them all in memory."""


@dataclass(frozen=True)
class Entry:
    """One thing in a folder, its path relative to where the walk began.

    `folder` is the descriptor of what it is in, open until the walk goes on.
    """

    path: str
    name: str
    kind: Kind
    folder: int


class Walk:
    """One walk, and what it had to leave out."""

    def __init__(self, watch: Watch, depth: int = DEEPEST) -> None:
        """A `depth` of 1 is the folder alone."""
        self.passed_over = 0
        self._watch = watch
        self._depth = depth

    def entries(
        self, folder: int, prefix: str = "", level: int = 1
    ) -> Generator[Entry, None, None]:
        """Everything in the open folder and below, without what is named `.git`.

        Sorted by name, each folder before what is in it. Ends when the watch does.
        """
        for name, kind in self._sorted(folder):
            if self._watch.over():
                return
            entry = Entry(prefix + name, name, kind, folder)
            yield entry
            if kind == "folder" and level < self._depth:
                yield from self._below(entry, level + 1)
            elif kind == "folder" and level == DEEPEST:
                self.passed_over += 1

    def tell(self, output: Output) -> None:
        """Note what is missing because of the walk."""
        if self._watch.over():
            output.note(
                f"Stopped after {self._watch.seconds:g} seconds, so this may not be all. "
                "Narrow it by path."
            )
        if self.passed_over:
            output.note(
                f"Passed over, wholly or in part: {self.passed_over} files or folders (no "
                f"permission, over {FULLEST:,} entries in a folder, or over {DEEPEST} levels deep)."
            )

    def _below(self, entry: Entry, level: int) -> Generator[Entry, None, None]:
        try:
            inner = os.open(entry.name, FOLDER | os.O_NOFOLLOW, dir_fd=entry.folder)
        except OSError:
            self.passed_over += 1
            return
        try:
            yield from self.entries(inner, f"{entry.path}/", level)
        finally:
            os.close(inner)

    def _sorted(self, folder: int) -> list[tuple[str, Kind]]:
        found: list[tuple[str, Kind]] = []
        try:
            with os.scandir(folder) as entries:
                for entry in islice(entries, FULLEST):
                    if self._watch.over():
                        break
                    if entry.name not in HIDDEN:
                        found.append((entry.name, _kind(entry)))
                self.passed_over += next(entries, None) is not None
        except OSError:
            self.passed_over += 1
        return sorted(found)


def _kind(entry: os.DirEntry[str]) -> Kind:
    if entry.is_symlink():
        return "link"
    if entry.is_dir(follow_symlinks=False):
        return "folder"
    return "file" if entry.is_file(follow_symlinks=False) else "special"


def below(path: str) -> str:
    """What to put before the path of an entry whose walk began at `path`."""
    path = path.removeprefix("./").rstrip("/")
    return "" if path in ("", ".") else f"{path}/"
