"""A patch over several files is made whole or not at all, whatever happens meanwhile."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.tools.calls import call, refusal, told_or_refused
from tests.tools.conftest import SECRET
from tests.tools.held import Held
from tests.tools.trees import plant, tree
from turnlog.adapters.tools import ApplyPatch, Workspace, WriteFile
from turnlog.adapters.tools.beneath import FOLDER, Opener
from turnlog.adapters.tools.changes import staged
from turnlog.adapters.tools.changes.exchange import Exchange, exchange, exchange_by_kernel
from turnlog.adapters.tools.changes.leftovers import TEMPORARY

PATCH = """\
*** Begin Patch
*** Update File: a.txt
-old
+new
*** Add File: made/b.txt
+new
*** Delete File: c.txt
*** Update File: d.txt
*** Move to: moved/d.txt
*** Update File: e.txt
*** Move to: e2.txt
-old
+new
*** Update File: src/f.txt
-old
+new
*** End Patch
"""
BEFORE: dict[str, bytes | str] = {
    "a.txt": b"old\n",
    "c.txt": b"old\n",
    "d.txt": b"old\n",
    "e.txt": b"old\n",
    "src": "folder",
    "src/f.txt": b"old\n",
}
AFTER: dict[str, bytes | str] = {
    "a.txt": b"new\n",
    "e2.txt": b"new\n",
    "made": "folder",
    "made/b.txt": b"new\n",
    "moved": "folder",
    "moved/d.txt": b"old\n",
    "src": "folder",
    "src/f.txt": b"new\n",
}


@pytest.fixture
def planted(folder: Path) -> Path:
    """The files that the patch is for."""
    again(folder)
    return folder


@contextmanager
def swapping(folder: Path, outside: Path) -> Iterator[list[int]]:
    """Meanwhile the folder and a link to the outside trade names; counts how often."""
    link = folder.with_name("link")
    link.symlink_to(outside)
    above = os.open(folder.parent, FOLDER)
    done = threading.Event()
    swaps = [0]

    def swap() -> None:
        while not done.is_set() or swaps[0] % 2:
            exchange_by_kernel(above, link.name, folder.name)
            swaps[0] += 1

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield swaps
    finally:
        done.set()
        thread.join()
        os.close(above)


def again(folder: Path) -> None:
    """Have in it what was in it before, and nothing else."""
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    plant(folder, {path: data for path, data in BEFORE.items() if data != "folder"})
    assert tree(folder) == BEFORE


def inodes(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_ino for path in folder.rglob("*")}


class Disk:
    """Calls of the kernel that change names, some of which fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fails: Callable[[int], bool]) -> None:
        self.calls = 0
        self.failed = 0
        self._fails = fails
        for name in ("link", "rename"):
            monkeypatch.setattr(os, name, self.through(getattr(os, name)))

    def through(self, function: Callable[..., None]) -> Callable[..., None]:
        def tried(*arguments: Any, **named: Any) -> None:
            self.calls += 1
            if self._fails(self.calls):
                self.failed += 1
                raise OSError(5, "Input/output error")
            function(*arguments, **named)

        return tried


async def test_it_is_made_whole(planted: Path, apply_patch: ApplyPatch) -> None:
    await call(apply_patch, patch=PATCH)
    assert tree(planted) == AFTER


@pytest.mark.parametrize("unnamed", [staged.UNNAMED, None], ids=["unnamed", "named"])
@pytest.mark.parametrize("fails_at", range(1, 30))
async def test_whichever_call_of_the_kernel_fails_nothing_is_changed(
    planted: Path,
    workspace: Workspace,
    trading: Exchange,
    monkeypatch: pytest.MonkeyPatch,
    fails_at: int,
    unnamed: int | None,
) -> None:
    before = inodes(planted)
    with monkeypatch.context() as failing:
        failing.setattr(staged, "UNNAMED", unnamed)
        disk = Disk(failing, lambda number: number == fails_at)
        apply_patch = ApplyPatch(workspace, exchange=disk.through(trading))
        told = await told_or_refused(apply_patch, patch=PATCH)
    if told.startswith("Done"):
        assert not disk.failed
        assert tree(planted) == AFTER
        return
    assert disk.failed == 1
    assert "Input/output error" in told
    assert told.endswith("Nothing was changed.")
    assert tree(planted) == BEFORE
    assert inodes(planted) == before


@pytest.mark.parametrize("fails_from", range(1, 20))
async def test_what_cannot_be_changed_back_is_named_and_whole(
    planted: Path,
    workspace: Workspace,
    trading: Exchange,
    monkeypatch: pytest.MonkeyPatch,
    fails_from: int,
) -> None:
    with monkeypatch.context() as failing:
        disk = Disk(failing, lambda number: number >= fails_from)
        apply_patch = ApplyPatch(workspace, exchange=disk.through(trading))
        told = await told_or_refused(apply_patch, patch=PATCH)
    left = tree(planted)
    assert set(left.values()) <= {b"old\n", b"new\n", "folder"}
    if told.startswith("Done"):
        assert left == AFTER
    elif told.endswith("Nothing was changed."):
        assert left == BEFORE
    else:
        differ = {path for path in BEFORE | left if BEFORE.get(path) != left.get(path)}
        named = told.partition("was changed back, but for: ")[2]
        for path in ("a.txt", "c.txt", "d.txt", "e.txt", "src/f.txt"):
            assert (path in differ) <= (path in named)


# -------------------------------------------------------- others meanwhile


def rewrites(path: Path) -> None:
    path.write_bytes(b"somebody's\n")


def puts_another(path: Path) -> None:
    path.with_name("aside").write_bytes(b"somebody's\n")
    path.with_name("aside").rename(path)


def removes(path: Path) -> None:
    path.unlink()


def puts_a_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("src/f.txt")


def puts_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


MEDDLING = [rewrites, puts_another, removes, puts_a_link, puts_a_folder]


@contextmanager
def before_the_first(
    function: str, meddle: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Somebody does something just before the first call of this function of the kernel."""
    real = getattr(os, function)
    moments = iter([meddle])

    def meddled(*arguments: Any, **named: Any) -> Any:
        next(moments, lambda: None)()
        return real(*arguments, **named)

    with monkeypatch.context() as racing:
        racing.setattr(os, function, meddled)
        yield


@pytest.mark.parametrize("path", ["a.txt", "c.txt", "d.txt", "e.txt", "src/f.txt"])
@pytest.mark.parametrize("meddle", MEDDLING)
async def test_a_file_that_somebody_changes_after_it_was_read_is_left_to_them(
    planted: Path,
    apply_patch: ApplyPatch,
    monkeypatch: pytest.MonkeyPatch,
    meddle: Callable[[Path], None],
    path: str,
) -> None:
    expected: dict[str, bytes | str] = {}

    def meddled() -> None:
        meddle(planted / path)
        expected.update(tree(planted))

    with before_the_first("fsync", meddled, monkeypatch):
        told = await refusal(apply_patch, patch=PATCH)
    assert told == (
        f"'{path}' was changed by somebody else meanwhile. Read it again. Nothing was changed."
    )
    expected.pop("made", None)
    expected.pop("moved", None)
    assert tree(planted) == expected


@pytest.mark.parametrize("path", ["made/b.txt", "moved/d.txt", "e2.txt"])
async def test_a_new_file_that_somebody_makes_first_is_left_to_them(
    planted: Path, apply_patch: ApplyPatch, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    with before_the_first("fsync", lambda: rewrites(planted / path), monkeypatch):
        told = await refusal(apply_patch, patch=PATCH)
    assert f"There is already a '{path}'" in told
    folder = {str(Path(path).parent): "folder"} if "/" in path else {}
    assert tree(planted) == BEFORE | folder | {path: b"somebody's\n"}


@pytest.mark.parametrize("path", ["a.txt", "src/f.txt"])
@pytest.mark.parametrize("meddle", [rewrites, puts_another, puts_a_link, puts_a_folder])
async def test_even_at_the_last_moment_what_somebody_writes_is_not_lost(
    planted: Path,
    workspace: Workspace,
    meddle: Callable[[Path], None],
    path: str,
) -> None:
    moments = iter([meddle])

    def at_the_last_moment(folder: int, temporary: str, name: str) -> None:
        if name == Path(path).name:
            next(moments, lambda _: None)(planted / path)
            expected.update(tree(planted / path))
        exchange(folder, temporary, name)

    expected: dict[str, bytes | str] = {}
    told = await refusal(ApplyPatch(workspace, exchange=at_the_last_moment), patch=PATCH)
    assert f"'{path}' was changed by somebody else meanwhile" in told
    assert told.endswith("Nothing was changed.")
    left = tree(planted)
    assert left.pop(path) in (b"somebody's\n", "link to src/f.txt", "folder")
    assert left == {name: data for name, data in BEFORE.items() if name != path}


async def test_who_reads_meanwhile_sees_each_file_whole(
    planted: Path, apply_patch: ApplyPatch
) -> None:
    texts = ["1" * 200_000 + "\n", "2" * 200_000 + "\n"]
    plant(planted, {"a.txt": texts[0], "src/f.txt": texts[0]})
    done = threading.Event()
    seen: set[str] = set()

    def read() -> None:
        while not done.is_set():
            seen.add((planted / "a.txt").read_text())
            seen.add((planted / "src/f.txt").read_text())

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for number in range(30):
            old, new = texts[number % 2], texts[1 - number % 2]
            hunk = f"-{old}+{new}"
            await call(
                apply_patch,
                patch="*** Begin Patch\n*** Update File: a.txt\n"
                f"{hunk}*** Update File: src/f.txt\n{hunk}*** End Patch\n",
            )
    finally:
        done.set()
        reader.join()
    assert seen <= set(texts)


async def test_of_two_patches_at_once_for_one_file_each_is_whole(
    planted: Path, workspace: Workspace, trading: Exchange
) -> None:
    counter = "".join(f"{number}: 0\n" for number in range(20))
    plant(planted, {"a.txt": counter, "src/f.txt": counter})

    async def change(number: int) -> bool:
        hunk = f"-{number}: 0\n+{number}: 1\n"
        told = await told_or_refused(
            ApplyPatch(workspace, exchange=trading),
            patch="*** Begin Patch\n*** Update File: a.txt\n"
            f"{hunk}*** Update File: src/f.txt\n{hunk}*** End Patch\n",
        )
        assert told.startswith("Done") or "changed by somebody else meanwhile" in told
        return told.startswith("Done")

    done = await asyncio.gather(*(change(number) for number in range(20)))
    assert any(done)
    expected = "".join(f"{number}: {int(was)}\n" for number, was in enumerate(done))
    assert (planted / "a.txt").read_text() == (planted / "src/f.txt").read_text() == expected


async def test_a_folder_swapped_for_a_link_at_the_wrong_moment_lets_nothing_out(
    folder: Path, outside: Path, opener: Opener
) -> None:
    swapped = folder / "up" / "swapped"
    plant(folder, {"up/swapped/file.txt": "0"})
    workspace = Workspace(folder, opener=opener)
    write_file, apply_patch = WriteFile(workspace), ApplyPatch(workspace)
    path = "up/swapped/file.txt"
    seen = set()
    with swapping(swapped, outside) as swaps:
        for number in range(200):
            seen.add((await told_or_refused(write_file, filePath=path, content="1"))[:8])
            patch = f"*** Begin Patch\n*** Update File: {path}\n-1\n+2\n*** End Patch"
            seen.add((await told_or_refused(apply_patch, patch=patch))[:4])
            new = f"up/swapped/new{number % 3}/file.txt"
            seen.add((await told_or_refused(write_file, filePath=new, content="1"))[:7])
    assert swaps[0] > 10
    assert {"Replaced", "Created"} <= seen
    assert tree(outside) == {"file.txt": SECRET.encode()}


# ------------------------------------------------------- cancelled and killed


async def cancelled(running: asyncio.Task[str], held: Held) -> None:
    """Cancel it while it is held, and let it go on."""
    with held:
        await asyncio.to_thread(held.arrived.wait)
        running.cancel()
        for _ in range(5):
            await asyncio.sleep(0)
        assert not running.done()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_cancelled_while_it_gets_ready_it_changes_nothing(
    planted: Path, apply_patch: ApplyPatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held()
    with before_the_first("fsync", held, monkeypatch):
        await cancelled(asyncio.create_task(call(apply_patch, patch=PATCH)), held)
    assert tree(planted) == BEFORE


async def test_cancelled_while_it_changes_names_it_is_made_whole_first(
    planted: Path, workspace: Workspace, trading: Exchange
) -> None:
    held = Held()

    def slowly(folder: int, temporary: str, name: str) -> None:
        trading(folder, temporary, name)
        held()

    apply_patch = ApplyPatch(workspace, exchange=slowly)
    await cancelled(asyncio.create_task(call(apply_patch, patch=PATCH)), held)
    assert tree(planted) == AFTER


async def test_a_patch_that_takes_too_long_changes_nothing(
    planted: Path, workspace: Workspace
) -> None:
    told = await refusal(ApplyPatch(workspace, seconds=0), patch=PATCH)
    assert told == "It took over 0 s, so it was stopped. Nothing was changed."
    assert tree(planted) == BEFORE


DYING = """
import asyncio, os, signal, sys
from turnlog.adapters.tools import ApplyPatch, Workspace
from turnlog.adapters.tools.changes.exchange import exchange

folder, number = sys.argv[1], int(sys.argv[2])
calls = 0

def dying(function):
    def called(*arguments, **named):
        global calls
        calls += 1
        if calls == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **named)
    return called

for name in ("link", "rename", "unlink"):
    setattr(os, name, dying(getattr(os, name)))

async def unheard(_):
    pass

tool = ApplyPatch(Workspace(folder), exchange=dying(exchange))
asyncio.run(tool.run({"patch": sys.stdin.read()}, "key", unheard))
"""


async def test_a_server_that_is_killed_at_any_call_leaves_every_file_whole(
    planted: Path, workspace: Workspace
) -> None:
    for number in range(1, 30):
        again(planted)
        dying = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", DYING, str(planted), str(number)],
            input=PATCH.encode(),
            check=False,
        )
        left = tree(planted)
        assert set(left.values()) <= {b"old\n", b"new\n", "folder"}
        for source, target in {"a.txt": "a.txt", "d.txt": "moved/d.txt", "e.txt": "e2.txt"}.items():
            assert source in left or target in left
        if dying.returncode == 0:
            assert left == AFTER
            break
        assert dying.returncode == -signal.SIGKILL
        for name in ("after.txt", "src/after.txt"):
            await call(WriteFile(workspace), filePath=name, content="the next change")
        assert not [name for name in tree(planted) if TEMPORARY.fullmatch(Path(name).name)]
    else:
        pytest.fail("it never came to its end")
