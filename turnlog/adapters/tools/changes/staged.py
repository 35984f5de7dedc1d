"""A file's new content: whole on the disk before it has a name.

Where the file system can, it has no name at all until it is put in place
(O_TMPFILE of open(2)), so that a crash leaves nothing behind. What is to
replace another file needs a name for the moment between two calls of the
kernel; see `leftovers` for a crash just then.
"""

from __future__ import annotations

import os
import stat

from turnlog.adapters.tools.changes.leftovers import temporary_name

WRITING = os.O_WRONLY | os.O_CLOEXEC
UNNAMED = getattr(os, "O_TMPFILE", None)
NEW_FILE = 0o666
"""As every program creates files; the umask takes its share."""
PERMISSIONS = stat.S_IRWXU | stat.S_IRWXG | stat.S_IRWXO
READABLE = stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH
EXECUTABLE = stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH


class Staged:
    """New content in a folder, to be put in place under a name there."""

    def __init__(
        self,
        folder: int,
        data: bytes,
        *,
        like: os.stat_result | None = None,
        executable: bool | None = None,
    ) -> None:
        """With the permissions, and if possible the owner, of the file that it is `like`.

        `executable` changes who may run it; None leaves that. Raises `OSError`.
        """
        self.folder = folder
        self.temporary: str | None = None
        """The name that it has, or that what it replaced has."""
        self._file = self._open()
        try:
            _write(self._file, data)
            _permit(self._file, like, executable)
            os.fsync(self._file)
            self.status = os.fstat(self._file)
        except BaseException:
            self.discard()
            raise

    def create(self, name: str) -> None:
        """Put it in place as a new file; raises `FileExistsError` if there is one."""
        self._link(name)

    def replace(self, name: str) -> None:
        """Put it in place of the file of that name, at once; raises `OSError`."""
        os.rename(self.named(), name, src_dir_fd=self.folder, dst_dir_fd=self.folder)
        self.temporary = None

    def named(self) -> str:
        """The name that it has for the time being; raises `OSError`."""
        if self.temporary is None:
            name = temporary_name()
            self._link(name)
            self.temporary = name
        return self.temporary

    def discard(self) -> None:
        """Remove what still has a temporary name, and close. Never raises."""
        if self.temporary is not None:
            try:
                os.unlink(self.temporary, dir_fd=self.folder)
            except OSError:
                pass  # the next change in this folder removes it
        os.close(self._file)

    def _open(self) -> int:
        if UNNAMED is not None:
            try:
                file = os.open(".", UNNAMED | WRITING, NEW_FILE, dir_fd=self.folder)
            except OSError:
                pass  # not every file system can; the reason, if it is another, comes again
            else:
                if os.path.exists(f"/proc/self/fd/{file}"):
                    return file
                os.close(file)
        name = temporary_name()
        file = os.open(name, WRITING | os.O_CREAT | os.O_EXCL, NEW_FILE, dir_fd=self.folder)
        self.temporary = name
        return file

    def _link(self, name: str) -> None:
        if self.temporary is None:
            os.link(f"/proc/self/fd/{self._file}", name, dst_dir_fd=self.folder)
        else:
            os.link(self.temporary, name, src_dir_fd=self.folder, dst_dir_fd=self.folder)


def _write(file: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]


def _permit(file: int, like: os.stat_result | None, executable: bool | None) -> None:
    mode = stat.S_IMODE(os.fstat(file).st_mode)
    if like is not None:
        mode = like.st_mode & PERMISSIONS
        try:
            os.fchown(file, like.st_uid, like.st_gid)
        except OSError:
            pass  # only root gives files away; the server's own it is then
    if executable is not None:
        mode &= ~EXECUTABLE
    if executable:
        mode |= (mode & READABLE) >> 2
    os.fchmod(file, mode)
