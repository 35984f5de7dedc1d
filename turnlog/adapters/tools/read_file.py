"""`readFile`: some lines of a text file, as they are."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from io import BufferedReader
from typing import Annotated, Any

from msgspec import Meta

from turnlog.adapters.tools.arguments import Arguments, parameters, read_arguments
from turnlog.adapters.tools.output import Output
from turnlog.adapters.tools.refusals import refused, told
from turnlog.adapters.tools.text import shown_text
from turnlog.adapters.tools.text_files import refuse_binary
from turnlog.adapters.tools.watch import TIME_LIMIT, Watch, in_thread
from turnlog.adapters.tools.workspace import Workspace
from turnlog.domain.ports import Progress
from turnlog.domain.tools import ToolSpec

LONGEST_LINE = 8 * 1024
LONGEST_PASSED_OVER = 64 * 1024 * 1024
PIECE = 64 * 1024
CUT = f"… [cut: this line is longer than {LONGEST_LINE:,} bytes]\n"


class ReadFileArguments(Arguments, frozen=True):
    """Which lines of which file."""

    file_path: Annotated[str, Meta(description="Relative to the workspace's top folder.")]
    offset: Annotated[int, Meta(ge=1, description="The first line to read, from 1.")] = 1
    limit: Annotated[int, Meta(ge=1, le=10_000, description="So many lines at most.")] = 2000


class ReadFile:
    """The tool of that name."""

    spec = ToolSpec(
        name="readFile",
        description=(
            "Read a text file of the workspace. The text is given as it is, without line "
            "numbers. A note in brackets at the end says if there is more, and with which "
            "offset to go on. Binary files are refused."
        ),
        parameters=parameters(ReadFileArguments),
        repeatable=True,
        unasked=True,
    )

    def __init__(self, workspace: Workspace, *, seconds: float = TIME_LIMIT) -> None:
        self._workspace = workspace
        self._seconds = seconds

    async def run(self, arguments: dict[str, Any], key: str, progress: Progress) -> str:
        """The lines; raises `ToolFailed`."""
        asked = read_arguments(ReadFileArguments, arguments, self.spec.name)
        return await in_thread(partial(self._read, asked), self._seconds)

    def _read(self, asked: ReadFileArguments, watch: Watch) -> str:
        path = asked.file_path
        with self._workspace.open_file(path) as file, told(path):
            refuse_binary(file, path)
            return _lines_asked_for(file, asked, os.fstat(file.fileno()).st_size, watch)


def _lines_asked_for(
    file: BufferedReader, asked: ReadFileArguments, size: int, watch: Watch
) -> str:
    output = Output(asked.limit)
    number = 0
    full = False
    for number, line in enumerate(bounded_lines(file, watch), 1):
        if number < asked.offset:
            continue
        full = not output.add(line)
        if full or output.count == asked.limit:
            break
    more = full or bool(file.peek(1))
    last = asked.offset + output.count - 1
    if more and not output.count:
        raise refused(
            asked.file_path,
            f"Line {asked.offset} of '{{path}}' was not reached, only line {number}: the file is "
            "too large, or a line in it. searchFiles may find what you look for.",
        )
    if more:
        output.note(
            f"Lines {asked.offset}-{last} of a file of {size:,} bytes; there is more: "
            f"continue with offset {last + 1}."
        )
    elif not number:
        output.note("The file is empty.")
    elif not output.count:
        raise refused(asked.file_path, f"'{{path}}' ends with line {number}.")
    elif asked.offset > 1:
        output.note(f"Lines {asked.offset}-{last}, the end of the file.")
    return output.text()


def bounded_lines(file: BufferedReader, watch: Watch) -> Iterator[str]:
    """Each line with its end; of a long one the beginning, the rest passed over unkept.

    Ends at the file's end, when the watch is over, or in a line without end.
    """
    while not watch.over() and (line := file.readline(LONGEST_LINE)):
        if line.endswith(b"\n") or not file.peek(1):
            yield shown_text(line)
            continue
        yield shown_text(line, whole=False) + CUT
        for _ in range(LONGEST_PASSED_OVER // PIECE):
            rest = file.readline(PIECE)
            if watch.over() or not rest or rest.endswith(b"\n"):
                break
        else:
            return
