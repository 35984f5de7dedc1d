"""A workspace on a real disk, with something beside it that nobody may see."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.tools.shells import confined_or_skipped
from turnlog.adapters.tools import (
    ApplyPatch,
    ListFiles,
    ReadFile,
    SearchFiles,
    Workspace,
    WriteFile,
)
from turnlog.adapters.tools.beneath import HANDLE, Opener, best_opener
from turnlog.adapters.tools.beneath import open_by_kernel as by_kernel
from turnlog.adapters.tools.beneath import open_step_by_step as step_by_step
from turnlog.adapters.tools.changes.exchange import (
    Exchange,
    exchange_by_kernel,
    exchange_step_by_step,
)
from turnlog.adapters.tools.shell import Confined, Shell, Unconfined

SECRET = "the operator's secret"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The workspace's folder."""
    folder = tmp_path / "workspace"
    folder.mkdir()
    return folder


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder beside the workspace, with `file.txt` in it."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file.txt").write_text(SECRET)
    return outside


@pytest.fixture
def trap(folder: Path, outside: Path) -> Path:
    """The workspace's folder, with links of every kind."""
    (folder / "src" / "deep").mkdir(parents=True)
    (folder / "src" / "a.txt").write_text("inside")
    for name, target in {
        "link_to_file": "../outside/file.txt",
        "link_to_folder": "src/../../outside",
        "absolute_link": str(outside),
        "link_to_link": "link_to_folder",
        "link_inside": "src/deep",
        "link_to_root": "/",
        "link_to_zero": "/dev/zero",
        "absolute_inside": str(folder / "src"),
        "dangling": "nowhere",
        "loop": "loop",
        "chain": "link_inside/../a.txt",
    }.items():
        (folder / name).symlink_to(target)
    return folder


@pytest.fixture(params=[by_kernel, step_by_step], ids=["by kernel", "step by step"])
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    """Both ways to stay beneath a folder."""
    opener: Opener = request.param
    descriptor = os.open(tmp_path, HANDLE)
    try:
        if opener is by_kernel and best_opener(descriptor) is not by_kernel:
            pytest.skip("this kernel has no openat2")
    finally:
        os.close(descriptor)
    return opener


@pytest.fixture
def workspace(folder: Path) -> Workspace:
    return Workspace(folder)


@pytest.fixture
def read_file(workspace: Workspace) -> ReadFile:
    return ReadFile(workspace)


@pytest.fixture
def list_files(workspace: Workspace) -> ListFiles:
    return ListFiles(workspace)


@pytest.fixture
def search_files(workspace: Workspace) -> SearchFiles:
    return SearchFiles(workspace)


@pytest.fixture
def write_file(workspace: Workspace) -> WriteFile:
    return WriteFile(workspace)


@pytest.fixture(params=[exchange_by_kernel, exchange_step_by_step], ids=["at once", "in steps"])
def trading(request: pytest.FixtureRequest) -> Exchange:
    """Both ways for two files to trade names."""
    exchange: Exchange = request.param
    return exchange


@pytest.fixture
def apply_patch(workspace: Workspace, trading: Exchange) -> ApplyPatch:
    return ApplyPatch(workspace, exchange=trading)


@pytest.fixture(scope="session")
def confined() -> Confined:
    return confined_or_skipped()


@pytest.fixture
def confined_shell(workspace: Workspace, confined: Confined) -> Shell:
    return Shell(workspace, confined, seconds=30)


@pytest.fixture
def unconfined_shell(workspace: Workspace) -> Shell:
    return Shell(workspace, Unconfined(), seconds=30)


@pytest.fixture(params=["confined", "unconfined"])
def shell(request: pytest.FixtureRequest) -> Shell:
    """A shell, either way."""
    shell: Shell = request.getfixturevalue(f"{request.param}_shell")
    return shell
