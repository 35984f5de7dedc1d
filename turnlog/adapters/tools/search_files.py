"""`searchFiles`: the lines of the workspace that match a regular expression."""

from __future__ import annotations

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
from turnlog.adapters.tools.lines import matching_lines
from turnlog.adapters.tools.output import Output
from turnlog.adapters.tools.patterns import glob_pattern, line_pattern
from turnlog.adapters.tools.text_files import text_files
from turnlog.adapters.tools.walk import Walk
from turnlog.adapters.tools.watch import TIME_LIMIT, Watch, in_thread
from turnlog.adapters.tools.workspace import Workspace
from turnlog.domain.ports import Progress
from turnlog.domain.tools import ToolSpec

NARROWER = "Narrow it by path, glob or pattern, or ask for a higher limit."


class SearchFilesArguments(Arguments, frozen=True):
    """What to look for, and where."""

    pattern: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=LONGEST_PATTERN,
            description="A regular expression in RE2's syntax (no look-around, no "
            "backreferences), found anywhere in a line; ^ and $ are the ends of a line.",
        ),
    ]
    path: PathArgument = "."
    glob: Annotated[
        str,
        Meta(
            max_length=LONGEST_PATTERN,
            description="Only files whose path, relative to `path`, matches, such as '*.py' (in "
            "any folder) or 'src/**/*.{ts,tsx}'.",
        ),
    ] = ""
    ignore_case: bool = False
    limit: Annotated[int, Meta(ge=1, le=1000, description="So many lines at most.")] = 100


class SearchFiles:
    """The tool of that name."""

    spec = ToolSpec(
        name="searchFiles",
        description=(
            "Search the text files of a folder, or one file, of the workspace line by line. "
            "Answers `path:line number:text`, sorted by path; readFile with that number as "
            "offset shows what is around it. Binary files, links and .git are left out."
        ),
        parameters=parameters(SearchFilesArguments),
        repeatable=True,
        unasked=True,
    )

    def __init__(self, workspace: Workspace, *, seconds: float = TIME_LIMIT) -> None:
        self._workspace = workspace
        self._seconds = seconds

    async def run(self, arguments: dict[str, Any], key: str, progress: Progress) -> str:
        """The matching lines; raises `ToolFailed`."""
        asked = read_arguments(SearchFilesArguments, arguments, self.spec.name)
        return await in_thread(partial(self._search, asked), self._seconds)

    def _search(self, asked: SearchFilesArguments, watch: Watch) -> str:
        pattern = line_pattern(asked.pattern, ignore_case=asked.ignore_case)
        wanted = glob_pattern(asked.glob) if asked.glob else None
        walk = Walk(watch)
        output = Output(asked.limit)
        searched = 0
        with closing(text_files(self._workspace, asked.path, wanted, walk)) as files:
            for path, file in files:
                searched += 1
                try:
                    for number, line in matching_lines(file, pattern, watch):
                        if not output.add(f"{path}:{number}:{line}\n"):
                            output.note(f"Cut after {output.count} lines. {NARROWER}")
                            return output.text()
                except OSError:
                    walk.passed_over += 1
        if not output.count:
            output.note(f"No line matches. Text files searched: {searched}.")
        walk.tell(output)
        return output.text()
