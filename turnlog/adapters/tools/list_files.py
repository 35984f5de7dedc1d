"""`listFiles`: what is in a folder, or everything whose path matches a glob."""

from __future__ import annotations

import os
from contextlib import closing
from functools import partial
from typing import Annotated, Any

from msgspec import Meta

from turnlog.adapters.tools.arguments import (
    LONGEST_PATTERN,
    Arguments,
    PathArgument,
    parameters,
    read_arguments,
)
from turnlog.adapters.tools.output import Output
from turnlog.adapters.tools.patterns import glob_pattern
from turnlog.adapters.tools.text import shown_name
from turnlog.adapters.tools.walk import DEEPEST, Walk, below
from turnlog.adapters.tools.watch import TIME_LIMIT, Watch, in_thread
from turnlog.adapters.tools.workspace import Workspace
from turnlog.domain.ports import Progress
from turnlog.domain.tools import ToolSpec

MARKS = {"file": "", "folder": "/", "link": " (link)", "special": " (no regular file)"}
NARROWER = "Narrow it by path or pattern, or ask for a higher limit."


class ListFilesArguments(Arguments, frozen=True):
    """Which folder, and what of it."""

    path: PathArgument = "."
    pattern: Annotated[
        str,
        Meta(
            max_length=LONGEST_PATTERN,
            description="A glob over paths relative to `path`, such as 'src/**/*.py'. Without a "
            "slash it is for names in any folder. It makes the listing recursive.",
        ),
    ] = ""
    depth: Annotated[
        int,
        Meta(
            ge=0,
            le=DEEPEST,
            description="So many levels of folders. Left out or 0: one, or all with a pattern.",
        ),
    ] = 0
    limit: Annotated[int, Meta(ge=1, le=2000, description="So many entries at most.")] = 200


class ListFiles:
    """The tool of that name."""

    spec = ToolSpec(
        name="listFiles",
        description=(
            "List a folder of the workspace, or find files by a glob. One path a line, relative "
            "to the workspace's top folder and sorted; folders end in a slash. Links are not "
            "gone through, and .git is left out unless `path` leads into it."
        ),
        parameters=parameters(ListFilesArguments),
        repeatable=True,
        unasked=True,
    )

    def __init__(self, workspace: Workspace, *, seconds: float = TIME_LIMIT) -> None:
        self._workspace = workspace
        self._seconds = seconds

    async def run(self, arguments: dict[str, Any], key: str, progress: Progress) -> str:
        """The paths; raises `ToolFailed`."""
        asked = read_arguments(ListFilesArguments, arguments, self.spec.name)
        return await in_thread(partial(self._list, asked), self._seconds)

    def _list(self, asked: ListFilesArguments, watch: Watch) -> str:
        wanted = glob_pattern(asked.pattern) if asked.pattern else None
        walk = Walk(watch, asked.depth or (DEEPEST if wanted else 1))
        output = Output(asked.limit)
        prefix = shown_name(below(asked.path))
        folder = self._workspace.open_folder(asked.path)
        try:
            with closing(walk.entries(folder)) as entries:
                for entry in entries:
                    path = shown_name(entry.path)
                    if wanted and not wanted.fullmatch(path):
                        continue
                    if not output.add(f"{prefix}{path}{MARKS[entry.kind]}\n"):
                        output.note(f"Cut after {output.count} entries. {NARROWER}")
                        break
        finally:
            os.close(folder)
        if not output.count:
            output.note("Nothing in it matches." if wanted else "Nothing is in it.")
        walk.tell(output)
        return output.text()
