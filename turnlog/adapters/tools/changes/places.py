"""Where a file stands, or will: a name in a folder that is held open.

A link is followed as long as it stays in the workspace, so a place is never a
link's own, unless one is put there later. Nothing of a repository's own
folder is a place: what stands there is run by git, outside of any confinement.
"""

from __future__ import annotations

import errno
import os
from contextlib import ExitStack
from dataclasses import dataclass, replace
from types import TracebackType

from turnlog.adapters.tools.beneath import FOLDER, HANDLE, LINKS
from turnlog.adapters.tools.refusals import CHANGING, REPOSITORY, refused, told
from turnlog.adapters.tools.walk import DEEPEST
from turnlog.adapters.tools.workspace import Workspace, check_path

GIT = ".git"


@dataclass(frozen=True)
class Place:
    """A name in an open folder, below which the folders `missing` are still to be made.

    `path` is how the model called it, `linked` says that a link led here.
    """

    path: str
    folder: int
    name: str
    missing: tuple[str, ...] = ()
    linked: bool = False

    def status(self) -> os.stat_result | None:
        """Of what stands here, a link not followed; None if nothing does."""
        if self.missing:
            return None
        with told(self.path, CHANGING):
            try:
                return os.stat(self.name, dir_fd=self.folder, follow_symlinks=False)
            except FileNotFoundError:
                return None

    def key(self) -> tuple[int, int, str]:
        """The same for any two paths to this place."""
        device, inode = _identity(self.folder)
        return device, inode, "/".join((*self.missing, self.name))


class Places:
    """The places of one change: their folders are open until the end.

    Ended by an exception, the folders that were made are removed again.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._folders: dict[tuple[int, int], int] = {}
        self._made = ExitStack()

    def __enter__(self) -> Places:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            self._made.close()
        for folder in self._folders.values():
            os.close(folder)

    def find(self, path: str) -> Place:
        """The place of that path; raises `ToolFailed`."""
        with told(path, CHANGING):
            here, links = path, 0
            while True:
                check_path(here)
                name = here.rpartition("/")[2]
                if name in ("", ".", ".."):
                    raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
                above = here.removesuffix(name)
                folder, missing = self._deepest(above)
                if GIT in map(str.casefold, (*missing, name)) or self._in_repository(folder):
                    raise refused(path, REPOSITORY)
                target = None if missing else _target(name, folder)
                if target is None:
                    return Place(path, folder, name, missing, linked=links > 0)
                links += 1
                if links > LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
                here = target if target.startswith("/") else above + target

    def make_folders(self, place: Place) -> Place:
        """The place, with its folders there; raises `ToolFailed`."""
        with told(place.path, CHANGING):
            folder = place.folder
            for name in place.missing:
                try:
                    os.mkdir(name, dir_fd=folder)
                except FileExistsError:
                    pass
                else:
                    self._made.callback(_remove_if_empty, name, folder)
                folder = self._hold(os.open(name, FOLDER | os.O_NOFOLLOW, dir_fd=folder))
            return replace(place, folder=folder, missing=())

    def _deepest(self, path: str) -> tuple[int, tuple[str, ...]]:
        """The deepest folder of the path that is there, and the names of those that are not."""
        try:
            return self._hold(self._workspace.open(path or ".", FOLDER)), ()
        except FileNotFoundError as error:
            names = [name for name in path.split("/") if name not in ("", ".")]
            for there in range(len(names) - 1, -1, -1):
                try:
                    opened = self._workspace.open("/".join(names[:there]) or ".", FOLDER)
                except FileNotFoundError:
                    continue
                folder, missing = self._hold(opened), tuple(names[there:])
                dangling = _target(missing[0], folder) is not None
                if dangling or ".." in missing or len(missing) > DEEPEST:
                    break
                return folder, missing
            raise error

    def _hold(self, folder: int) -> int:
        """The descriptor, or the one that is held of the same folder."""
        held = self._folders.setdefault(_identity(folder), folder)
        if held != folder:
            os.close(folder)
        return held

    def _in_repository(self, folder: int) -> bool:
        """Whether the folder is a `.git`, or below one, within the workspace."""
        top = self._workspace.identity
        with ExitStack() as opened:
            here = folder
            while (identity := _identity(here)) != top:
                above = os.open("..", HANDLE, dir_fd=here)
                opened.callback(os.close, above)
                if _identity(above) == identity:
                    raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
                try:
                    git = os.stat(GIT, dir_fd=above)
                except OSError:
                    pass
                else:
                    if (git.st_dev, git.st_ino) == identity:
                        return True
                here = above
        return False


def _identity(descriptor: int) -> tuple[int, int]:
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino


def _target(name: str, folder: int) -> str | None:
    """Where the link of that name leads; None if it is none, or is not there."""
    try:
        return os.readlink(name, dir_fd=folder)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.EINVAL:
            return None
        raise


def _remove_if_empty(name: str, folder: int) -> None:
    try:
        os.rmdir(name, dir_fd=folder)
    except OSError:
        pass  # somebody else has found a use for it
