"""Nothing outside the workspace is ever told, however it is asked for."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.tools.calls import call, refusal, told_or_refused
from tests.tools.conftest import SECRET
from turnlog.adapters.tools import ListFiles, ReadFile, SearchFiles, Workspace, reading_tools
from turnlog.adapters.tools.beneath import FOLDER, Opener, open_step_by_step
from turnlog.adapters.tools.workspace import FILE
from turnlog.domain.errors import ToolFailed

ESCAPES = {
    "the folder above": "..",
    "beside it": "../outside/file.txt",
    "down and up": "src/../../outside/file.txt",
    "far above": "../" * 40 + "etc/passwd",
    "an absolute path": "/etc/passwd",
    "a link to a file": "link_to_file",
    "a link to a folder": "link_to_folder/file.txt",
    "an absolute link": "absolute_link/file.txt",
    "a link to a link": "link_to_link/file.txt",
    "above a link that stays inside": "link_inside/../../../outside/file.txt",
    "the whole disk": "link_to_root/etc/passwd",
    "an endless device": "link_to_zero",
}


@pytest.fixture
def guarded(trap: Path, opener: Opener) -> Workspace:
    return Workspace(trap, opener=opener)


@pytest.mark.parametrize("path", ESCAPES.values(), ids=ESCAPES)
async def test_what_leads_outside_is_refused(guarded: Workspace, path: str) -> None:
    for told in (
        await refusal(ReadFile(guarded), filePath=path),
        await refusal(ListFiles(guarded), path=path),
        await refusal(SearchFiles(guarded), path=path, pattern="."),
    ):
        assert told.startswith(f"'{path}' is not inside the workspace.")


async def test_links_that_stay_inside_are_followed(guarded: Workspace) -> None:
    read = ReadFile(guarded)
    assert await call(read, filePath="chain") == "inside"
    assert await call(read, filePath="link_inside/../a.txt") == "inside"
    assert await call(read, filePath="src/deep/../../src//./a.txt") == "inside"


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("absolute_inside/a.txt", "is not inside the workspace"),
        ("dangling", "There is no"),
        ("loop", "too many links"),
        ("src/a.txt\0.png", "no file name can have"),
        ("\ud800", "no file name can have"),
        ("a" * 300, "too long"),
        ("src/../" * 1000 + "src/a.txt", "too long"),
        ("src/a.txt/", "is not a folder"),
        ("src/a.txt/..", "is not a folder"),
    ],
)
async def test_other_paths_that_lead_nowhere_are_refused(
    guarded: Workspace, trap: Path, path: str, words: str
) -> None:
    told = await refusal(ReadFile(guarded), filePath=path)
    assert words in told
    assert str(trap) not in told


async def test_walks_find_nothing_outside(guarded: Workspace) -> None:
    assert "outside" not in await call(ListFiles(guarded), pattern="**")
    assert SECRET not in await call(SearchFiles(guarded), pattern=".")
    assert "No line matches" in await call(SearchFiles(guarded), pattern="secret")


def test_a_workspace_must_be_a_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        reading_tools(tmp_path / "nowhere")


def test_a_workspace_stays_the_same_folder_when_its_path_is_taken(
    trap: Path, outside: Path
) -> None:
    workspace = Workspace(trap)
    trap.rename(trap.with_name("moved"))
    trap.symlink_to(outside)
    with workspace.open_file("src/a.txt") as file:
        assert file.read() == b"inside"
    with pytest.raises(ToolFailed, match="There is no"):
        workspace.open_file("file.txt")


COMPONENTS = st.sampled_from(
    [
        "", ".", "..", "src", "deep", "a.txt", "nowhere", "outside", "file.txt", "link_to_file",
        "link_to_folder", "absolute_link", "link_to_link", "link_inside", "link_to_root", "chain",
        "dangling", "loop", "workspace", "etc", "\0", "é", "~", "a\\b", "\udce9",
    ]
)  # fmt: skip
PATHS = st.builds(
    lambda start, parts: start + "/".join(parts),
    st.sampled_from(["", "", "", "/", "//", "src/", "../"]),
    st.lists(COMPONENTS, max_size=8),
)


def inode(workspace: Workspace, path: str, flags: int) -> tuple[int, int] | None:
    """What stands at the path: its device and number, or None if it is refused."""
    try:
        descriptor = workspace.open(path, flags)
    except OSError:
        return None
    try:
        status = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    return status.st_dev, status.st_ino


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=400)
@given(path=PATHS, flags=st.sampled_from([FILE, FOLDER]))
def test_any_path_leads_to_something_inside_or_nowhere(
    trap: Path, opener: Opener, path: str, flags: int
) -> None:
    found = inode(Workspace(trap, opener=opener), path, flags)
    inside = [trap, *(path for path in trap.rglob("*") if not path.is_symlink())]
    assert found in {None, *((path.stat().st_dev, path.stat().st_ino) for path in inside)}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=400)
@given(path=PATHS, flags=st.sampled_from([FILE, FOLDER]))
def test_both_ways_of_opening_lead_to_the_same(trap: Path, path: str, flags: int) -> None:
    best, other = Workspace(trap), Workspace(trap, opener=open_step_by_step)
    assert inode(best, path, flags) == inode(other, path, flags)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(path=PATHS)
def test_no_tool_tells_anything_of_the_outside_whatever_the_path(
    trap: Path, opener: Opener, path: str
) -> None:
    workspace = Workspace(trap, opener=opener)

    async def asked() -> list[str]:
        return [
            await told_or_refused(ReadFile(workspace), filePath=path),
            await told_or_refused(ListFiles(workspace), path=path, pattern="**/file.*"),
            await told_or_refused(SearchFiles(workspace), path=path, pattern="secret|root:"),
        ]

    for told in asyncio.run(asked()):
        assert SECRET not in told
        assert "root:" not in told
        assert "file.txt\n" not in told
