"""writeFile creates or replaces one file, whole, inside the workspace."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from tests.tools.calls import call, refusal, told_or_refused
from tests.tools.conftest import SECRET
from tests.tools.held import Held
from tests.tools.test_confinement import ESCAPES, PATHS
from tests.tools.trees import plant, tree
from turnlog.adapters.tools import Workspace, WriteFile
from turnlog.adapters.tools.beneath import Opener
from turnlog.adapters.tools.changes import staged
from turnlog.adapters.tools.changes.leftovers import TEMPORARY
from turnlog.adapters.tools.write_file import CONTENT_LIMIT

NOBODY = 65534


async def test_a_file_is_created_with_the_folders_that_it_needs(
    folder: Path, write_file: WriteFile
) -> None:
    told = await call(write_file, filePath="src/new/a.py", content="one\ntwo")

    assert told == "Created 'src/new/a.py': 7 bytes, 2 lines."
    assert tree(folder) == {"src": "folder", "src/new": "folder", "src/new/a.py": b"one\ntwo"}


async def test_a_file_is_replaced_whole(folder: Path, write_file: WriteFile) -> None:
    plant(folder, {"a.txt": "a long text before\n"})

    told = await call(write_file, filePath="./a.txt", content="short\n")

    assert told == "Replaced './a.txt': 6 bytes, 1 line, before 19 bytes."
    assert tree(folder) == {"a.txt": b"short\n"}


async def test_writing_the_same_again_changes_nothing(folder: Path, write_file: WriteFile) -> None:
    for _ in range(2):
        await call(write_file, filePath="a/b.txt", content="größer 😀\r\n")
        assert tree(folder) == {"a": "folder", "a/b.txt": "größer 😀\r\n".encode()}
    assert write_file.spec.repeatable


async def test_an_empty_file_may_be_written(folder: Path, write_file: WriteFile) -> None:
    told = await call(write_file, filePath="a.txt", content="")
    assert told == "Created 'a.txt': 0 bytes, 0 lines."
    assert tree(folder) == {"a.txt": b""}


@pytest.mark.parametrize("mode", [0o600, 0o755, 0o664])
async def test_a_replaced_file_keeps_its_permissions(
    folder: Path, write_file: WriteFile, mode: int
) -> None:
    plant(folder, {"a.sh": "old"})
    (folder / "a.sh").chmod(mode)
    await call(write_file, filePath="a.sh", content="new")
    assert stat.S_IMODE((folder / "a.sh").stat().st_mode) == mode


async def test_a_new_file_has_the_permissions_that_every_program_gives(
    folder: Path, write_file: WriteFile
) -> None:
    (folder / "as_usual").touch()
    await call(write_file, filePath="a.txt", content="new")
    assert (folder / "a.txt").stat().st_mode == (folder / "as_usual").stat().st_mode


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
async def test_a_replaced_file_keeps_its_owner(folder: Path, write_file: WriteFile) -> None:
    plant(folder, {"a.txt": "old"})
    os.chown(folder / "a.txt", 12345, 54321)
    await call(write_file, filePath="a.txt", content="new")
    status = (folder / "a.txt").stat()
    assert (status.st_uid, status.st_gid) == (12345, 54321)


async def test_no_set_user_bit_survives(folder: Path, write_file: WriteFile) -> None:
    plant(folder, {"a": "old"})
    (folder / "a").chmod(0o4755)
    await call(write_file, filePath="a", content="new")
    assert stat.S_IMODE((folder / "a").stat().st_mode) == 0o755


# ------------------------------------------------------------------ confined


@pytest.mark.parametrize("path", ESCAPES.values(), ids=ESCAPES)
async def test_nothing_is_written_outside(
    trap: Path, outside: Path, opener: Opener, path: str
) -> None:
    before = tree(trap.parent)
    told = await refusal(
        WriteFile(Workspace(trap, opener=opener)), filePath=path, content="written"
    )
    assert "written" not in told
    assert tree(trap.parent) == before


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("", "is a folder"),
        (".", "is a folder"),
        ("src", "is a folder"),
        ("src/", "is a folder"),
        ("new/", "is a folder"),
        ("link_inside", "is a folder"),
        ("src/a.txt/b", "is not a folder"),
        ("src/a.txt/b/c", "is not a folder"),
        ("loop", "too many links"),
        ("dangling/a.txt", "is missing"),
        ("new/../a.txt", "is missing"),
        ("absolute_inside/a.txt", "is not inside the workspace"),
        ("a\0b", "no file name can have"),
        ("\ud800", "no file name can have"),
        ("a" * 256, "too long"),
        ("a/" * 2100 + "b", "too long"),
        ("a/" * 70 + "b", "is missing"),
    ],
)
async def test_other_paths_that_no_file_can_have_are_refused(
    trap: Path, opener: Opener, path: str, words: str
) -> None:
    before = tree(trap)
    told = await refusal(WriteFile(Workspace(trap, opener=opener)), filePath=path, content="x")
    assert words in told
    assert str(trap) not in told
    assert tree(trap) == before


async def test_a_link_that_stays_inside_is_followed_and_stays_a_link(
    trap: Path, opener: Opener
) -> None:
    write_file = WriteFile(Workspace(trap, opener=opener))
    told = await call(write_file, filePath="chain", content="through two links")
    assert told.startswith("Replaced 'chain' (through a link)")
    assert (trap / "chain").is_symlink()
    assert (trap / "src/a.txt").read_text() == "through two links"
    await call(write_file, filePath="dangling", content="now it leads somewhere")
    assert (trap / "dangling").is_symlink()
    assert (trap / "nowhere").read_text() == "now it leads somewhere"
    await call(write_file, filePath="link_inside/new/b.txt", content="in a linked folder")
    assert (trap / "src/deep/new/b.txt").read_text() == "in a linked folder"


async def test_another_name_of_the_file_keeps_the_old_content(
    folder: Path, outside: Path, write_file: WriteFile
) -> None:
    (folder / "a.txt").hardlink_to(outside / "file.txt")
    await call(write_file, filePath="a.txt", content="new")
    assert (folder / "a.txt").read_text() == "new"
    assert (outside / "file.txt").read_text() == SECRET


async def test_what_is_no_regular_file_is_refused_and_not_waited_for(
    folder: Path, write_file: WriteFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(folder / "pipe")
    monkeypatch.chdir(folder)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        async with asyncio.timeout(5):
            for path in ("pipe", "socket"):
                told = await refusal(write_file, filePath=path, content="x")
                assert "no regular file" in told
    assert stat.S_ISFIFO((folder / "pipe").stat().st_mode)


@pytest.mark.parametrize(
    "path", [".git/hooks/pre-commit", ".git/new/a", ".git", "sub/.git/config", "g/config", ".GIT/x"]
)
async def test_what_git_runs_is_not_written(folder: Path, write_file: WriteFile, path: str) -> None:
    plant(folder, {".git/config": "", ".git/hooks/pre-commit": "", "sub/.git/config": ""})
    (folder / "g").symlink_to(".git")
    before = tree(folder)
    told = await refusal(write_file, filePath=path, content="#!/bin/sh\n")
    assert "belongs to a repository of git" in told or "is a folder" in told
    assert tree(folder) == before


async def test_names_like_that_of_gits_folder_are_written(
    folder: Path, write_file: WriteFile
) -> None:
    for path in (".gitignore", ".github/workflows/ci.yml", "src/git"):
        await call(write_file, filePath=path, content="x")
        assert (folder / path).read_text() == "x"


@pytest.fixture
def ordinary_user(folder: Path) -> Iterator[None]:
    """Who runs this is not root, who may write to every file."""
    user = os.geteuid()
    if user == 0:
        os.chown(folder, NOBODY, NOBODY)
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)


@pytest.fixture
def write_protected(folder: Path) -> None:
    plant(folder, {"a.txt": "old"})
    (folder / "a.txt").chmod(0o444)


@pytest.mark.usefixtures("write_protected", "write_file", "ordinary_user")
async def test_a_file_that_the_server_may_not_write_to_is_not_replaced(
    write_file: WriteFile,
) -> None:
    assert "no permission" in await refusal(write_file, filePath="a.txt", content="new")
    assert "Created" in await call(write_file, filePath="b.txt", content="new")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(path=PATHS)
def test_whatever_the_path_the_outside_stays_as_it_is(
    trap: Path, outside: Path, opener: Opener, path: str
) -> None:
    before = tree(outside) | {".": str(sorted(trap.parent.iterdir()))}
    write_file = WriteFile(Workspace(trap, opener=opener))
    asyncio.run(told_or_refused(write_file, filePath=path, content="written"))
    assert tree(outside) | {".": str(sorted(trap.parent.iterdir()))} == before
    assert not [name for name in tree(trap) if TEMPORARY.search(name)]


# -------------------------------------------------------------------- limits


async def test_a_content_over_the_limit_is_refused_with_its_size(
    folder: Path, write_file: WriteFile
) -> None:
    await call(write_file, filePath="a.txt", content="x" * CONTENT_LIMIT)
    told = await refusal(write_file, filePath="b/b.txt", content="é" * (CONTENT_LIMIT // 2) + "x")
    assert "1,048,577 bytes, and 1,048,576 can be written" in told
    assert list(tree(folder)) == ["a.txt"]


@pytest.mark.parametrize(
    ("content", "words"), [("a\0b", "holds a NUL"), ("\udc80", "half a surrogate pair")]
)
async def test_what_is_no_text_is_refused(
    folder: Path, write_file: WriteFile, content: str, words: str
) -> None:
    assert words in await refusal(write_file, filePath="b/{path}.txt", content=content)
    assert tree(folder) == {}


async def test_wrong_arguments_are_refused_by_name(write_file: WriteFile) -> None:
    told = await refusal(write_file, filePath="a.txt")
    assert "writeFile did not run" in told
    assert "`content`" in told


async def test_a_call_that_takes_too_long_leaves_nothing(
    folder: Path, workspace: Workspace
) -> None:
    told = await refusal(WriteFile(workspace, seconds=0), filePath="a/b.txt", content="x")
    assert "took over 0 s" in told
    assert tree(folder) == {}


# ------------------------------------------------------- whole at any moment


async def test_who_reads_meanwhile_sees_the_old_or_the_new_file_whole(
    folder: Path, write_file: WriteFile
) -> None:
    texts = [str(number) * 300_000 for number in range(2)]
    plant(folder, {"a.txt": texts[0]})
    done = threading.Event()
    seen: list[str] = []

    def read() -> None:
        while not done.is_set():
            seen.append((folder / "a.txt").read_text())

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for number in range(40):
            await call(write_file, filePath="a.txt", content=texts[number % 2])
    finally:
        done.set()
        reader.join()
    assert set(seen) <= set(texts)
    assert len(seen) > 1


async def test_without_unnamed_files_it_is_the_same(
    folder: Path, write_file: WriteFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staged, "UNNAMED", None)
    assert (await call(write_file, filePath="a/b", content="1")).startswith("Created")
    assert (await call(write_file, filePath="a/b", content="2")).startswith("Replaced")
    assert tree(folder) == {"a": "folder", "a/b": b"2"}


@pytest.mark.parametrize("unnamed", [staged.UNNAMED, None], ids=["unnamed", "named"])
@pytest.mark.parametrize("failing", ["write", "fsync", "fchmod", "rename", "link"])
async def test_a_failing_disk_leaves_the_old_file_and_nothing_else(
    folder: Path,
    write_file: WriteFile,
    monkeypatch: pytest.MonkeyPatch,
    failing: str,
    unnamed: int | None,
) -> None:
    plant(folder, {"a.txt": "old"})
    monkeypatch.setattr(staged, "UNNAMED", unnamed)

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    path = "new/b.txt" if failing == "link" else "a.txt"
    with monkeypatch.context() as broken:
        broken.setattr(os, failing, fail)
        told = await refusal(write_file, filePath=path, content="new")
    assert told == f"There is no room left on the disk for '{path}'."
    assert tree(folder) == {"a.txt": b"old"}


async def test_a_file_that_appears_meanwhile_is_replaced(
    folder: Path, write_file: WriteFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    def appears(file: int) -> None:
        if "a.txt" not in tree(folder):
            plant(folder, {"a.txt": "somebody else's"})

    monkeypatch.setattr(os, "fsync", appears)
    told = await call(write_file, filePath="a.txt", content="new")
    assert told.startswith("Replaced")
    assert tree(folder) == {"a.txt": b"new"}


async def test_a_link_that_appears_meanwhile_is_replaced_and_not_followed(
    folder: Path, outside: Path, write_file: WriteFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    for old in (None, "old"):
        (folder / "a.txt").unlink(missing_ok=True)
        if old is not None:
            plant(folder, {"a.txt": old})
        moments = iter(["the file is on the disk"])

        def appears(file: int, moments: Iterator[str] = moments) -> None:
            if next(moments, None):
                (folder / "a.txt").unlink(missing_ok=True)
                (folder / "a.txt").symlink_to(outside / "file.txt")

        with monkeypatch.context() as racing:
            racing.setattr(os, "fsync", appears)
            await call(write_file, filePath="a.txt", content="new")
        assert tree(folder) == {"a.txt": b"new"}
    assert (outside / "file.txt").read_text() == SECRET


async def test_cancelling_waits_until_nothing_can_change_any_more(
    folder: Path, write_file: WriteFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(folder, {"a.txt": "old"})
    with Held() as held:
        monkeypatch.setattr(os, "fsync", held)
        running = asyncio.create_task(call(write_file, filePath="a.txt", content="new"))
        await asyncio.to_thread(held.arrived.wait)
        for _ in range(3):
            running.cancel()
            for _ in range(5):
                await asyncio.sleep(0)
            assert not running.done()
        held.go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert tree(folder) == {"a.txt": b"old"}


async def test_a_call_that_is_cancelled_before_it_began_never_begins(
    folder: Path, write_file: WriteFile
) -> None:
    with Held() as held:
        loop = asyncio.get_running_loop()
        # As many as the default executor has threads, and some more.
        busy = [loop.run_in_executor(None, held) for _ in range(40)]
        running = asyncio.create_task(call(write_file, filePath="a.txt", content="new"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        held.go_on.set()
        await asyncio.gather(*busy)
        await asyncio.to_thread(int)
    assert tree(folder) == {}


DYING = """
import asyncio, os, signal, sys
from turnlog.adapters.tools import writing_tools
from turnlog.adapters.tools.changes import staged

folder, dies_in, unnamed = sys.argv[1:]
if unnamed == "named":
    staged.UNNAMED = None
setattr(os, dies_in, lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))

async def unheard(_):
    pass

write_file, _ = writing_tools(folder)
asyncio.run(write_file.run({"filePath": "a.txt", "content": "new"}, "key", unheard))
"""


@pytest.mark.parametrize("unnamed", ["unnamed", "named"])
@pytest.mark.parametrize("dies_in", ["write", "fsync", "rename"])
async def test_a_server_that_is_killed_leaves_a_whole_file_and_no_litter_that_stays(
    folder: Path, write_file: WriteFile, dies_in: str, unnamed: str
) -> None:
    plant(folder, {"a.txt": "old", ".turnlog-mine.tmp": "not ours"})
    dying = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", DYING, str(folder), dies_in, unnamed], check=False
    )
    assert dying.returncode == -signal.SIGKILL
    assert (folder / "a.txt").read_text() == "old"
    left = [name for name in tree(folder) if TEMPORARY.fullmatch(name)]
    assert len(left) == (unnamed == "named" or dies_in == "rename")

    await call(write_file, filePath="b.txt", content="the next change")

    assert tree(folder) == {
        "a.txt": b"old",
        "b.txt": b"the next change",
        ".turnlog-mine.tmp": b"not ours",
    }


async def test_what_another_process_is_about_to_put_in_place_is_no_litter(
    folder: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staged, "UNNAMED", None)
    one, other = WriteFile(workspace), WriteFile(Workspace(folder))
    fsync = os.fsync
    with Held() as held:
        monkeypatch.setattr(os, "fsync", held)
        running = asyncio.create_task(call(one, filePath="a.txt", content="slow"))
        await asyncio.to_thread(held.arrived.wait)
        monkeypatch.setattr(os, "fsync", fsync)
        await call(other, filePath="b.txt", content="fast")
        held.go_on.set()
        await running
    assert tree(folder) == {"a.txt": b"slow", "b.txt": b"fast"}
