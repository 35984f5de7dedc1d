"""Several files changed together: all, or none.

First every new content is on the disk, unnamed; then what is there is compared
once more with what was seen; then names are changed, one after the other, and
back again if one of them cannot be. Only that last part is not at once: somebody
who looks then may see some files new and others old, and so it stays if the process
is killed just there. Each file is whole at any time.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from turnlog.adapters.tools.changes.exchange import Exchange
from turnlog.adapters.tools.changes.leftovers import naming, settle
from turnlog.adapters.tools.changes.places import Place, Places
from turnlog.adapters.tools.changes.staged import Staged
from turnlog.adapters.tools.changes.steps import Create, Delete, Move, Replace, Step
from turnlog.adapters.tools.refusals import CHANGING, told
from turnlog.adapters.tools.text import shown_name
from turnlog.adapters.tools.watch import Watch
from turnlog.domain.errors import ToolFailed

# Where two files cannot trade names at once, two patches of one server could each put one
# back over the other's; nothing is waited for while names change.
_NAMES = threading.Lock()


@dataclass(frozen=True)
class Change:
    """What is to become of one file.

    `seen` is the file that is there, or None. `target` is its new place if it gets
    one, None if it goes. `data` is its new content, None if that stays.
    """

    place: Place
    seen: os.stat_result | None
    target: Place | None
    data: bytes | None = None
    executable: bool | None = None


class HalfDone(ToolFailed):
    """{message}"""


def commit(changes: Sequence[Change], places: Places, watch: Watch, exchange: Exchange) -> None:
    """Make the changes, no two of them about one place.

    The watch is looked at until the first name is changed. Raises `ToolFailed`, and then
    nothing has changed; or `HalfDone`, which names what could not be changed back.
    """
    changes = [_with_folders(change, places) for change in changes]
    folders = {
        place.folder
        for change in changes
        for place in (change.place, change.target)
        if place is not None and not place.missing
    }
    with ExitStack() as held:
        for folder in folders:
            held.enter_context(naming(folder))
        steps: list[Step] = []
        for change in changes:
            watch.look()
            steps += _steps(change, exchange, held)
        watch.look()
        with _NAMES:
            _do(steps)
        for folder in folders:
            settle(folder)


def _with_folders(change: Change, places: Places) -> Change:
    if change.target is None or not change.target.missing:
        return change
    target = places.make_folders(change.target)
    place = target if change.place is change.target else change.place
    return Change(place, change.seen, target, change.data, change.executable)


def _steps(change: Change, exchange: Exchange, held: ExitStack) -> list[Step]:
    """What is to be done for one change; its new content is on the disk then."""
    place, seen, target, data = change.place, change.seen, change.target, change.data
    moved = target is not None and target.key() != place.key()
    steps: list[Step] = []
    if target is not None and data is not None:
        with told(target.path, CHANGING):
            staged = Staged(target.folder, data, like=seen, executable=change.executable)
        held.callback(staged.discard)
        if moved or seen is None:
            steps.append(Create(target, staged))
        else:
            steps.append(Replace(target, staged, seen, exchange))
    if seen is not None and moved and target is not None and data is None:
        step = Move(place, target, seen)
        held.callback(step.discard)
        steps.append(step)
    elif seen is not None and (moved or target is None):
        leaving = Delete(place, seen)
        held.callback(leaving.discard)
        steps.append(leaving)
    return steps


def _do(steps: Sequence[Step]) -> None:
    done: list[Step] = []
    try:
        for step in steps:
            done.append(step)
            step.do()
    except BaseException as reason:
        stuck = [step.place.path for step in reversed(done) if not _undone(step)]
        if stuck:
            names = ", ".join(shown_name(path) for path in stuck)
            raise HalfDone(
                f"{reason} What had been changed until then was changed back, but for: {names}. "
                "Read them again."
            ) from reason
        raise


def _undone(step: Step) -> bool:
    try:
        step.undo()
    except (OSError, ToolFailed):
        return False
    return True
