"""Unified diffs, as `diff -u` and `git diff` write them.

Every line is read or refused: a hunk whose header is spoiled must not be passed over
as a remark, with the rest of the patch applied.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from turnlog.adapters.tools.patches.hunks import read_hunk
from turnlog.adapters.tools.patches.patch import FilePatch, Hunk, not_understood
from turnlog.domain.errors import ToolFailed

GIT = b"diff --git "
OLD, NEW = b"--- ", b"+++ "
NOWHERE = "/dev/null"
REMARKS = (b"diff ", b"index ", b"similarity index ", b"dissimilarity index ", b"Index: ", b"====")
BINARY = (b"Binary files ", b"GIT binary patch")
MODE = re.compile(rb"(old|new|new file|deleted file) mode (\d{6})")
REGULAR = {b"100644": False, b"100755": True}
ESCAPE = re.compile(rb"\\([0-7]{3}|.)")
ESCAPED = {
    b"n": b"\n",
    b"t": b"\t",
    b"r": b"\r",
    b"a": b"\a",
    b"b": b"\b",
    b"f": b"\f",
    b"v": b"\v",
}


def read_unified(lines: Sequence[bytes]) -> list[FilePatch]:
    """The files of the patch; raises `ToolFailed`."""
    here = 0
    while here < len(lines) and not _begins_file(lines, here):
        if lines[here].startswith(b"@@"):
            raise not_understood(
                here + 1, "a hunk, but no file before it. Name it by '--- a/PATH' and '+++ b/PATH'."
            )
        here += 1
    files = []
    while here < len(lines) and not _is_signature(lines, here):
        if not lines[here].strip():
            here += 1
            continue
        reader = _FileReader(lines, here)
        files.append(reader.read())
        here = reader.here
    return files


def _begins_file(lines: Sequence[bytes], at: int) -> bool:
    if lines[at].startswith(OLD):
        return at + 1 < len(lines) and lines[at + 1].startswith(NEW)
    return lines[at].startswith(GIT)


def _is_signature(lines: Sequence[bytes], at: int) -> bool:
    """Whether the version of git follows, with which a patch sent by mail ends."""
    return lines[at] == b"-- " and not any(lines[at + 2 :])


def _ends(lines: Sequence[bytes], at: int) -> bool:
    return _begins_file(lines, at) or _is_signature(lines, at)


@dataclass
class _FileReader:
    """Reads one file of a patch, from the line `here` on."""

    lines: Sequence[bytes]
    here: int
    names: dict[bytes, str] = field(default_factory=dict)
    modes: dict[bytes, bool] = field(default_factory=dict)

    def read(self) -> FilePatch:
        first = self.here
        while self.here < len(self.lines) and self._header():
            self.here += 1
        hunks: list[Hunk] = []
        while self.here < len(self.lines) and self.lines[self.here].startswith(b"@@"):
            hunk, self.here = read_hunk(self.lines, self.here, _ends)
            hunks.append(hunk)
        if self.here == first:
            raise not_understood(
                first + 1,
                "it belongs neither to a hunk nor to a file's header. Each line of a hunk begins "
                "with ' ', '+' or '-'.",
            )
        if OLD in self.names and not hunks:
            raise not_understood(self.here, "no hunk ('@@ -1,2 +1,3 @@') follows the file's name.")
        source, target = self._paths(first)
        return FilePatch(
            at=first + 1,
            source=source,
            target=target,
            hunks=hunks,
            executable=self.modes.get(b"new file", self.modes.get(b"new")),
        )

    def _header(self) -> bool:
        """Take a line of the file's header; False if it is none."""
        line = self.lines[self.here]
        if line.startswith(GIT):
            if self.names:
                return False
            self.names[GIT] = _doubled(line.removeprefix(GIT))
        elif _begins_file(self.lines, self.here) and OLD not in self.names:
            self.names[OLD] = _name(line.removeprefix(OLD))
            self.names[NEW] = _name(self.lines[self.here + 1].removeprefix(NEW))
            self.here += 1
        elif OLD in self.names:
            return False
        elif mode := MODE.fullmatch(line):
            if mode[2] not in REGULAR:
                raise self._no("links and submodules are not patched.")
            self.modes[mode[1]] = REGULAR[mode[2]]
        elif line.startswith((b"rename from ", b"rename to ")):
            word, _, name = line.removeprefix(b"rename ").partition(b" ")
            self.names[word] = _name(name)
        elif line.startswith(b"copy "):
            raise self._no("files are not copied. Give the new file with all its lines.")
        elif line.startswith(BINARY):
            raise self._no("binary files are not patched, only text.")
        else:
            return line.startswith(REMARKS)
        return True

    def _paths(self, first: int) -> tuple[str | None, str | None]:
        names = self.names
        if b"from" in names and b"to" in names:
            return names[b"from"], names[b"to"]
        if OLD in names:
            source, target = _without_prefixes(names[OLD], names[NEW])
        else:
            source = target = names.get(GIT) or None
        if b"new file" in self.modes:
            source = None
        if b"deleted file" in self.modes:
            target = None
        if source is None and target is None:
            raise not_understood(first + 1, "no file is named here.")
        return source, target

    def _no(self, words: str) -> ToolFailed:
        return not_understood(self.here + 1, words)


def _without_prefixes(old: str, new: str) -> tuple[str | None, str | None]:
    """The paths, without `a/` and `b/` if both have them."""
    if old in (NOWHERE, "") or new in (NOWHERE, ""):
        source = None if old in (NOWHERE, "") else old.removeprefix("a/")
        target = None if new in (NOWHERE, "") else new.removeprefix("b/")
        return source, target
    if old.startswith("a/") and new.startswith("b/"):
        return old[2:], new[2:]
    return old, new


def _doubled(names: bytes) -> str:
    """The path in `a/PATH b/PATH`; nothing if there are two."""
    middle = len(names) // 2
    old, new = _name(names[:middle]), _name(names[middle + 1 :])
    same = names[middle : middle + 1] == b" " and old[2:] == new[2:]
    return old[2:] if same and old.startswith("a/") and new.startswith("b/") else ""


def _name(text: bytes) -> str:
    """A path as diffs write it: up to a tab, or in quotes with escapes."""
    text = text.partition(b"\t")[0].rstrip(b" ")
    if len(text) > 1 and text.startswith(b'"') and text.endswith(b'"'):
        text = ESCAPE.sub(_unescaped, text[1:-1])
    return text.decode("utf-8", "surrogateescape")


def _unescaped(escape: re.Match[bytes]) -> bytes:
    if len(escape[1]) == 3:
        return bytes((int(escape[1], 8) & 0xFF,))
    return ESCAPED.get(escape[1], escape[1])
