"""`writeFile`: one text file, created or replaced at once."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from msgspec import Meta

from turnlog.adapters.tools.arguments import Arguments, parameters, read_arguments
from turnlog.adapters.tools.changes.leftovers import naming, settle
from turnlog.adapters.tools.changes.places import Places
from turnlog.adapters.tools.changes.seen import changeable
from turnlog.adapters.tools.changes.staged import Staged
from turnlog.adapters.tools.refusals import CHANGING, refused, told
from turnlog.adapters.tools.text import shown_name
from turnlog.adapters.tools.watch import CHANGE_TIME_LIMIT, Watch, in_thread_to_its_end
from turnlog.adapters.tools.workspace import Workspace
from turnlog.domain.ports import Progress
from turnlog.domain.tools import ToolSpec

CONTENT_LIMIT = 1024 * 1024


class WriteFileArguments(Arguments, frozen=True):
    """Which file, and all that is to be in it."""

    file_path: Annotated[
        str,
        Meta(
            description="Relative to the workspace's top folder. Missing folders are made; a "
            "link is followed."
        ),
    ]
    content: Annotated[str, Meta(description="The whole new content, as it is to be read back.")]


class WriteFile:
    """The tool of that name."""

    spec = ToolSpec(
        name="writeFile",
        description=(
            "Create a text file of the workspace, or replace all that is in one; to change a "
            f"part of a file, use applyPatch. Written as UTF-8, at most {CONTENT_LIMIT:,} bytes. "
            "Nobody ever sees the file half written. The permissions of a replaced file stay."
        ),
        parameters=parameters(WriteFileArguments),
        repeatable=True,
    )

    def __init__(self, workspace: Workspace, *, seconds: float = CHANGE_TIME_LIMIT) -> None:
        self._workspace = workspace
        self._seconds = seconds

    async def run(self, arguments: dict[str, Any], key: str, progress: Progress) -> str:
        """What was done; raises `ToolFailed`, and then the file is as it was."""
        asked = read_arguments(WriteFileArguments, arguments, self.spec.name)
        return await in_thread_to_its_end(partial(self._write, asked), self._seconds)

    def _write(self, asked: WriteFileArguments, watch: Watch) -> str:
        path, data = asked.file_path, text_bytes(asked.content, asked.file_path)
        with Places(self._workspace) as places:
            place = places.find(path)
            seen = changeable(place)
            place = places.make_folders(place)
            with naming(place.folder), told(path, CHANGING):
                staged = Staged(place.folder, data, like=seen)
                try:
                    watch.look()
                    created = seen is None and _created(staged, place.name)
                    if not created:
                        staged.replace(place.name)
                finally:
                    staged.discard()
            settle(place.folder)
        before = "" if created or seen is None else f", before {seen.st_size:,} bytes"
        return (
            f"{'Created' if created else 'Replaced'} '{shown_name(path)}'"
            f"{' (through a link)' if place.linked else ''}: {counted(data)}{before}."
        )


def text_bytes(content: str, path: str) -> bytes:
    """As they are to be written; raises `ToolFailed` for what is no text, or too large."""
    try:
        data = content.encode()
    except UnicodeEncodeError:
        raise refused(path, "The content for '{path}' holds half a surrogate pair.") from None
    if len(data) > CONTENT_LIMIT:
        raise refused(
            path,
            f"The content for '{{path}}' has {len(data):,} bytes, and {CONTENT_LIMIT:,} can be "
            "written at once. Write it as several files, or a shorter one.",
        )
    if b"\0" in data:
        raise refused(path, "The content for '{path}' holds a NUL, which no text has.")
    return data


def counted(data: bytes) -> str:
    """So many bytes and lines, in words."""
    lines = data.count(b"\n") + (bool(data) and not data.endswith(b"\n"))
    return f"{len(data):,} bytes, {lines:,} line{'s' * (lines != 1)}"


def _created(staged: Staged, name: str) -> bool:
    """Whether it was put in place as a new file; not if somebody else was faster."""
    try:
        staged.create(name)
    except FileExistsError:
        return False
    return True
