"""The steps of a change: each can be done at once, and be undone as long as nothing followed.

A step that finds something else than was seen raises `ToolFailed`, when what it did
can be undone already. Undoing raises `OSError` where it cannot be done.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass, field

from turnlog.adapters.tools.changes.exchange import Exchange
from turnlog.adapters.tools.changes.leftovers import temporary_name
from turnlog.adapters.tools.changes.places import Place
from turnlog.adapters.tools.changes.seen import same, still
from turnlog.adapters.tools.changes.staged import Staged
from turnlog.adapters.tools.refusals import CHANGING, refused, told

OTHER_DISK = (
    "'{path}' cannot be renamed so: the new path is on another disk. Create the new file and "
    "delete this one."
)


@dataclass
class Create:
    """A new file."""

    place: Place
    staged: Staged

    def do(self) -> None:
        with told(self.place.path, CHANGING):
            self.staged.create(self.place.name)

    def undo(self) -> None:
        if same(self.staged.status, self.place.status()):
            os.unlink(self.place.name, dir_fd=self.place.folder)


@dataclass
class Replace:
    """A new content for the file that was seen; the old one has the temporary name then."""

    place: Place
    staged: Staged
    seen: os.stat_result
    exchange: Exchange
    done: bool = False

    def do(self) -> None:
        place = self.place
        still(place, place.name, self.seen)
        with told(place.path, CHANGING):
            self.exchange(place.folder, self.staged.named(), place.name)
        self.done = True
        still(place, self.staged.named(), self.seen)

    def undo(self) -> None:
        ours = same(self.staged.status, self.place.status())
        if ours != self.done:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        if self.done:
            self.exchange(self.place.folder, self.staged.named(), self.place.name)


@dataclass
class Delete:
    """The file that was seen goes, under a temporary name until all is done."""

    place: Place
    seen: os.stat_result
    temporary: str | None = None

    def do(self) -> None:
        place, name = self.place, temporary_name()
        still(place, place.name, self.seen)
        with told(place.path, CHANGING):
            os.rename(place.name, name, src_dir_fd=place.folder, dst_dir_fd=place.folder)
        self.temporary = name
        still(place, name, self.seen)

    def undo(self) -> None:
        if self.temporary is not None:
            self._put_back(self.temporary)

    def _put_back(self, temporary: str) -> None:
        try:
            # Unlike renaming, this puts nothing in the place of another file.
            _link(self.place, temporary, self.place)
        except FileExistsError:
            raise
        except OSError:
            folder = self.place.folder
            os.rename(temporary, self.place.name, src_dir_fd=folder, dst_dir_fd=folder)
            self.temporary = None

    def discard(self) -> None:
        """Remove it for good, or its second name if it was put back. Never raises."""
        if self.temporary is not None:
            try:
                os.unlink(self.temporary, dir_fd=self.place.folder)
            except OSError:
                pass  # the next change in this folder removes it


@dataclass
class Move:
    """The file that was seen goes to another place, as it is."""

    source: Place
    place: Place
    seen: os.stat_result
    linked: bool = False
    leaving: Delete = field(init=False)

    def __post_init__(self) -> None:
        self.leaving = Delete(self.source, self.seen)

    def do(self) -> None:
        still(self.source, self.source.name, self.seen)
        with told(self.place.path, CHANGING):
            try:
                _link(self.source, self.source.name, self.place)
            except OSError as error:
                if error.errno == errno.EXDEV:
                    raise refused(self.source.path, OTHER_DISK) from error
                raise
        self.linked = True
        self.leaving.do()

    def undo(self) -> None:
        self.leaving.undo()
        if self.linked:
            os.unlink(self.place.name, dir_fd=self.place.folder)

    def discard(self) -> None:
        """Remove what is left at the old place. Never raises."""
        self.leaving.discard()


Step = Create | Replace | Delete | Move


def _link(source: Place, name: str, place: Place) -> None:
    os.link(
        name,
        place.name,
        src_dir_fd=source.folder,
        dst_dir_fd=place.folder,
        follow_symlinks=False,
    )
