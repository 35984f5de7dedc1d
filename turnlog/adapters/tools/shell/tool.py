"""`shell`: a command, what it says while it runs, and its end."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import Meta

from turnlog.adapters.children import kept_process
from turnlog.adapters.tools.arguments import (
    Arguments,
    PathArgument,
    parameters,
    read_arguments,
)
from turnlog.adapters.tools.refusals import OUTSIDE, refused
from turnlog.adapters.tools.shell.confinement import LIMITS, Confinement, try_out
from turnlog.adapters.tools.shell.excerpt import BEGINNING, END
from turnlog.adapters.tools.shell.telling import Telling, listen
from turnlog.adapters.tools.workspace import Workspace
from turnlog.domain.errors import ToolFailed, ToolTimedOut
from turnlog.domain.ports import Progress
from turnlog.domain.tools import ToolSpec

LONGEST_COMMAND = 100_000  # bytes; Linux takes 128 KiB in one argument
GRACE = 15.0

RUN = "Run a command by the shell (bash where there is one, else sh) in the workspace. "
CONFINED = (
    "It is confined: there is no network; the workspace, which is /workspace, and /tmp, which "
    "is new and empty in each call, can be written, and of the system the programs in /usr can "
    "be run; nothing else is there. "
)
UNCONFINED = "It has the network, the files and the rights of the server that it runs on. "
RESULT = (
    "Output and errors come in one text, of which the first {beginning} and the last {end} KiB "
    "are kept. An exit code other than 0 stands in brackets at the end. There is no input and "
    "no terminal. What still runs in the background when the command ends is killed, and so is "
    "a command after {seconds:g} s."
)


class ShellArguments(Arguments, frozen=True):
    """What to run, where, and for how long."""

    command: Annotated[str, Meta(min_length=1, description="A command, or several lines.")]
    working_directory: PathArgument = "."
    timeout_seconds: (
        Annotated[float, Meta(gt=0, description="Kill it sooner than otherwise.")] | None
    ) = None


class Shell:
    """The tool of that name."""

    def __init__(
        self,
        workspace: Workspace,
        confinement: Confinement,
        *,
        environment: Mapping[str, str] | None = None,
        seconds: float = 60.0,
    ) -> None:
        """`environment` is given to commands beside the few variables that they need.

        Raises `CannotRun` where no command can be run in this way.
        """
        self._workspace = workspace
        self._confinement = confinement
        self._environment = {**confinement.environment(), **(environment or {})}
        self._seconds = seconds
        self._root = _path(workspace, ".")
        try_out(confinement, self._root)
        self.spec = ToolSpec(
            name="shell",
            description=RUN
            + (CONFINED if confinement.is_confined else UNCONFINED)
            + RESULT.format(beginning=BEGINNING >> 10, end=END >> 10, seconds=seconds),
            parameters=parameters(ShellArguments),
            approval="never" if confinement.is_confined else "always",
            seconds=seconds + GRACE,
        )

    async def run(self, arguments: dict[str, Any], key: str, progress: Progress) -> str:
        """What it said; raises `ToolFailed`, and `ToolTimedOut` after having told what it said."""
        asked = read_arguments(ShellArguments, arguments, self.spec.name)
        script = _executable(asked.command)
        folder = await asyncio.to_thread(self._folder, asked.working_directory)
        seconds = min(asked.timeout_seconds or self._seconds, self._seconds)
        told = Telling(progress)
        try:
            async with kept_process(
                self._confinement.command(script, self._root, folder),
                folder=os.path.join(self._root, folder),
                environment=self._environment,
                limits=LIMITS,
            ) as process:
                code = await listen(process, seconds, told)
        except OSError as error:
            raise ToolFailed(f"The command could not be started: {error.strerror}.") from error
        if code is None:
            raise ToolTimedOut(told.note(f"It was killed after {seconds:g} s."))
        if code < 0:
            raise ToolFailed(told.note("It was killed together with the process that watches it."))
        if code or not told.pieces:
            await told.tell(told.note(_ending(code)))
        return "".join(told.pieces)

    def _folder(self, path: str) -> str:
        """The folder's path below the workspace's, with no link in it; raises `ToolFailed`."""
        found = os.path.relpath(_path(self._workspace, path), self._root)
        if found.split(os.sep)[0] == os.pardir:
            raise refused(path, OUTSIDE)
        return found


def _path(workspace: Workspace, path: str) -> str:
    """Where the folder stands on the disk; raises `ToolFailed`."""
    descriptor = workspace.open_folder(path)
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


def _executable(script: str) -> str:
    try:
        size = len(script.encode())
    except UnicodeEncodeError:
        raise ToolFailed("shell did not run: the command holds half a surrogate pair.") from None
    if "\0" in script:
        raise ToolFailed("shell did not run: the command holds a NUL character.")
    if size > LONGEST_COMMAND:
        raise ToolFailed(
            f"shell did not run: the command is longer than {LONGEST_COMMAND:,} bytes. Put what is "
            "long into a file of the workspace first."
        )
    return script


def _ending(code: int) -> str:
    if not code:
        return "no output, exit code 0"
    name = next((it.name for it in signal.Signals if it == code - 128), None)
    return f"exit code {code}, {name}" if name else f"exit code {code}"
