"""`applyPatch`: several text files changed by one patch, all of it or nothing."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from msgspec import Meta

from turnlog.adapters.tools.arguments import Arguments, parameters, read_arguments
from turnlog.adapters.tools.changes.commit import HalfDone, commit
from turnlog.adapters.tools.changes.exchange import Exchange, exchange
from turnlog.adapters.tools.changes.places import Places
from turnlog.adapters.tools.patches.reading import FILES_LIMIT, PATCH_LIMIT, read_patch
from turnlog.adapters.tools.planning import Planner
from turnlog.adapters.tools.watch import CHANGE_TIME_LIMIT, Watch, in_thread_to_its_end
from turnlog.adapters.tools.workspace import Workspace
from turnlog.domain.errors import ToolFailed
from turnlog.domain.ports import Progress
from turnlog.domain.tools import ToolSpec

FORMATS = """\
Change, create, rename and delete text files of the workspace by one patch, in either format:

*** Begin Patch
*** Update File: src/main.py
*** Move to: src/program.py
@@ def main():
     first = 1
-    second = 2
+    second = 3
*** Add File: notes.txt
+each line after a plus
*** Delete File: old.txt
*** End Patch

or a unified diff as git writes it ('--- a/PATH', '+++ b/PATH', '@@ -1,3 +1,4 @@'; /dev/null for \
a file that is new or goes; 'rename from', 'rename to'). 'Move to' and the line after '@@', which \
stands somewhere before the hunk, may be left out.

Each line of a hunk begins with a space (stays), '-' (goes) or '+' (comes). Lines that stay or go \
must be exactly those of the file, white space included. Give about three that stay before and \
after each change: line numbers may be wrong, but then a hunk must fit in one place only. The \
hunks of a file are in its order. If one does not fit, nothing is changed, and you are told why.\
"""


class ApplyPatchArguments(Arguments, frozen=True):
    """The patch."""

    patch: Annotated[
        str,
        Meta(
            description="The whole patch. Paths are relative to the workspace's top folder. At "
            f"most {PATCH_LIMIT:,} bytes and {FILES_LIMIT} files."
        ),
    ]


class ApplyPatch:
    """The tool of that name."""

    # Not repeatable: lines that are added where they still fit would be added again.
    spec = ToolSpec(
        name="applyPatch", description=FORMATS, parameters=parameters(ApplyPatchArguments)
    )

    def __init__(
        self,
        workspace: Workspace,
        *,
        seconds: float = CHANGE_TIME_LIMIT,
        exchange: Exchange = exchange,
    ) -> None:
        """`exchange` is for tests."""
        self._workspace = workspace
        self._seconds = seconds
        self._exchange = exchange

    async def run(self, arguments: dict[str, Any], key: str, progress: Progress) -> str:
        """What was done; raises `ToolFailed`, and then nothing was, unless it says so."""
        asked = read_arguments(ApplyPatchArguments, arguments, self.spec.name)
        try:
            return await in_thread_to_its_end(partial(self._apply, asked), self._seconds)
        except HalfDone:
            raise
        except ToolFailed as refusal:
            raise ToolFailed(f"{refusal} Nothing was changed.") from None

    def _apply(self, asked: ApplyPatchArguments, watch: Watch) -> str:
        files = read_patch(asked.patch)
        with Places(self._workspace) as places:
            planner = Planner(places, watch)
            planned = [planner.plan(file) for file in files]
            commit([each.change for each in planned], places, watch, self._exchange)
        return "Done:\n" + "\n".join(each.words for each in planned)
