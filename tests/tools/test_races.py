"""Folders and files that become links while a tool is on its way to them."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.tools.calls import told_or_refused
from tests.tools.conftest import SECRET
from turnlog.adapters.tools import ListFiles, ReadFile, SearchFiles, Workspace
from turnlog.adapters.tools.beneath import FOLDER, Opener
from turnlog.adapters.tools.walk import Walk
from turnlog.adapters.tools.watch import Watch
from turnlog.adapters.tools.workspace import open_in
from turnlog.domain.errors import ToolFailed
from turnlog.domain.ports import Tool


def test_a_walk_does_not_enter_a_folder_that_became_a_link_meanwhile(
    trap: Path, outside: Path
) -> None:
    descriptor = os.open(trap / "src", FOLDER)
    entries = Walk(Watch(60)).entries(descriptor)
    try:
        for path in ("a.txt", "deep"):
            entry = next(entries)
            assert entry.path == path
            (trap / "src" / path).rename(trap / f"moved_{path}")
            (trap / "src" / path).symlink_to(outside)
            with pytest.raises(ToolFailed, match="too many links"):
                open_in(entry.folder, entry.name, entry.path)
        assert list(entries) == []
    finally:
        os.close(descriptor)


@contextmanager
def swapping(folder: Path, outside: Path) -> Iterator[list[int]]:
    """Meanwhile the folder is a link to the outside every other moment; counts the swaps."""
    aside, link = folder.with_name("aside"), folder.with_name("link")
    link.symlink_to(outside)
    done = threading.Event()
    swaps = [0]

    def swap() -> None:
        while not done.is_set():
            folder.rename(aside)
            link.rename(folder)
            folder.rename(link)
            aside.rename(folder)
            swaps[0] += 1

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield swaps
    finally:
        done.set()
        thread.join()


async def test_a_folder_swapped_for_a_link_at_the_wrong_moment_leads_nowhere(
    folder: Path, outside: Path, opener: Opener
) -> None:
    swapped = folder / "up" / "swapped"
    swapped.mkdir(parents=True)
    (swapped / "file.txt").write_text("inside")
    workspace = Workspace(folder, opener=opener)
    calls: list[tuple[Tool, dict[str, str]]] = [
        (ReadFile(workspace), {"filePath": "up/swapped/../swapped/file.txt"}),
        (ListFiles(workspace), {"path": "up/swapped"}),
        (SearchFiles(workspace), {"pattern": "i|secret", "path": "up"}),
    ]
    seen = set()
    with swapping(swapped, outside) as swaps:
        for _ in range(50_000):
            if swaps[0] > 8000:
                break
            try:
                with workspace.open_file("up/swapped/file.txt") as file:
                    seen.add(file.read().decode())
            except ToolFailed:
                seen.add("refused")
        for _ in range(100):
            for tool, arguments in calls:
                seen.add(await told_or_refused(tool, **arguments))
    assert swaps[0] > 10
    assert {"inside", "refused"} <= seen
    assert not [told for told in seen if SECRET in told]
