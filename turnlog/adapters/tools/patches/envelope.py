"""Patches between `*** Begin Patch` and `*** End Patch`, as many models know them.

Hunks have no line numbers; `@@ LINE` names a line before them instead, such as the
function that they are in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from turnlog.adapters.tools.patches.hunks import read_hunk
from turnlog.adapters.tools.patches.patch import FilePatch, Hunk, not_understood

BEGIN, END = b"*** Begin Patch", b"*** End Patch"
ADD, UPDATE, DELETE = b"*** Add File: ", b"*** Update File: ", b"*** Delete File: "
MOVE, END_OF_FILE = b"*** Move to: ", b"*** End of File"


def read_envelope(lines: Sequence[bytes], begin: int) -> list[FilePatch]:
    """The files of the patch that begins at the line `begin`; raises `ToolFailed`."""
    files: list[FilePatch] = []
    here = begin + 1
    while here < len(lines) and lines[here].rstrip() != END:
        line = lines[here]
        if not line.strip():
            here += 1
        elif line.startswith(ADD):
            file, here = _added(lines, here)
            files.append(file)
        elif line.startswith(DELETE):
            here += 1
            files.append(FilePatch(here, _path(line, DELETE), None, whole=False))
        elif line.startswith(UPDATE):
            file, here = _updated(lines, here)
            files.append(file)
        else:
            raise not_understood(
                here + 1,
                "'*** Add File: PATH', '*** Update File: PATH', '*** Delete File: PATH' or "
                "'*** End Patch' is expected here, or the '+', '-' or space before a hunk's line "
                "is missing.",
            )
    if here >= len(lines):
        raise not_understood(len(lines), "it ends without '*** End Patch'. Give all of it.")
    if any(line.strip() for line in lines[here + 1 :]):
        raise not_understood(here + 2, "there is more after '*** End Patch'.")
    return files


def _added(lines: Sequence[bytes], first: int) -> tuple[FilePatch, int]:
    here = first + 1
    while here < len(lines) and lines[here].startswith(b"+"):
        here += 1
    added = list(lines[first + 1 : here])
    hunks = [Hunk(at=first + 2, header=lines[first], lines=added)] if added else []
    return FilePatch(first + 1, None, _path(lines[first], ADD), hunks), here


def _updated(lines: Sequence[bytes], first: int) -> tuple[FilePatch, int]:
    source = target = _path(lines[first], UPDATE)
    here = first + 1
    if here < len(lines) and lines[here].startswith(MOVE):
        target = _path(lines[here], MOVE)
        here += 1
    hunks: list[Hunk] = []
    while here < len(lines) and not _directive(lines, here):
        if not lines[here].strip():
            here += 1
            continue
        if lines[here][:1] not in (b"@", b" ", b"+", b"-"):
            break
        hunk, here = read_hunk(lines, here, _directive)
        if here < len(lines) and lines[here].rstrip() == END_OF_FILE:
            hunk = replace(hunk, at_end=True)
            here += 1
        hunks.append(hunk)
    if not hunks and source == target:
        raise not_understood(first + 1, "no hunk follows, so nothing is updated.")
    return FilePatch(first + 1, source, target, hunks), here


def _directive(lines: Sequence[bytes], at: int) -> bool:
    return lines[at].startswith(b"*** ")


def _path(line: bytes, directive: bytes) -> str:
    return line.removeprefix(directive).strip().decode("utf-8", "surrogateescape")
