"""searchFiles finds lines; no pattern and no file can make it hang."""

from __future__ import annotations

import asyncio
import os
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.tools.calls import call, refusal
from turnlog.adapters.tools import SearchFiles, Workspace
from turnlog.adapters.tools.beneath import open_step_by_step
from turnlog.adapters.tools.lines import BLOCK
from turnlog.adapters.tools.output import BYTES_LIMIT


def write(folder: Path, files: dict[str, str | bytes]) -> None:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(text if isinstance(text, bytes) else text.encode())


async def test_lines_are_told_with_path_and_number(folder: Path, search_files: SearchFiles) -> None:
    write(folder, {"b.py": "x = 1\ny = x\n", "a/c.py": "\n\nprint(x)\r\nprint(y)"})
    assert await call(search_files, pattern=r"\bx\b") == (
        "a/c.py:3:print(x)\nb.py:1:x = 1\nb.py:2:y = x\n"
    )
    assert await call(search_files, pattern="y", path="./a") == "a/c.py:4:print(y)\n"


async def test_one_file_may_be_searched(folder: Path, search_files: SearchFiles) -> None:
    write(folder, {"a.py": "one\n", "b.py": "one\n"})
    assert await call(search_files, pattern="one", path="b.py") == "b.py:1:one\n"


async def test_a_glob_chooses_the_files(folder: Path, search_files: SearchFiles) -> None:
    write(folder, {"a.py": "one", "src/b.py": "one", "src/c.ts": "one"})
    assert await call(search_files, pattern="one", glob="*.py") == "a.py:1:one\nsrc/b.py:1:one\n"
    assert await call(search_files, pattern="one", path="src", glob="*.ts") == "src/c.ts:1:one\n"


async def test_case_may_be_ignored(folder: Path, search_files: SearchFiles) -> None:
    write(folder, {"a": "ÉTÉ\n"})
    assert "No line matches. Text files searched: 1." in await call(search_files, pattern="été")
    assert await call(search_files, pattern="été", ignoreCase=True) == "a:1:ÉTÉ\n"


async def test_a_match_stays_within_its_line(folder: Path, search_files: SearchFiles) -> None:
    write(folder, {"a": "one\ntwo\n\n"})
    assert "No line" in await call(search_files, pattern=r"one\s*two")
    assert "No line" in await call(search_files, pattern=r"one[^x]two")
    assert await call(search_files, pattern="^$") == "a:3:\n"
    assert await call(search_files, pattern="o$") == "a:2:two\n"


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lines=st.lists(st.text("abé ", max_size=6), max_size=30),
    filler=st.sampled_from([0, BLOCK - 20, BLOCK]),
    pattern=st.sampled_from(["a", "é", "^b", "a$", "^$", "a.*b", "[^a]", r"b\s"]),
)
def test_the_same_lines_are_found_as_by_looking_at_each_alone(
    folder: Path, lines: list[str], filler: int, pattern: str
) -> None:
    lines = ["x" * filler, *lines, "x" * filler, *lines]
    write(folder, {"a": "".join(f"{line}\n" for line in lines)})
    told = asyncio.run(call(SearchFiles(Workspace(folder)), pattern=pattern, limit=1000))
    assert [int(number) for number in re.findall(r"^a:(\d+):", told, re.MULTILINE)] == [
        number for number, line in enumerate(lines, 1) if re.search(pattern, line)
    ]


async def test_binary_files_links_and_git_are_left_out(
    folder: Path, outside: Path, search_files: SearchFiles
) -> None:
    write(folder, {"a": "secret", "binary": b"secret\0", ".git/config": "secret"})
    (folder / "link").symlink_to("a")
    (folder / "out").symlink_to(outside)
    (folder / "out.txt").symlink_to(outside / "file.txt")
    os.mkfifo(folder / "pipe")
    async with asyncio.timeout(5):
        assert await call(search_files, pattern="secret") == "a:1:secret\n"
    assert "binary file of 7 bytes" in await refusal(search_files, pattern="x", path="binary")
    assert await call(search_files, pattern="s", path=".git") == ".git/config:1:secret\n"


async def test_the_answer_is_cut_at_the_limit_and_says_so(
    folder: Path, search_files: SearchFiles
) -> None:
    write(folder, {"a": "x\nx\n", "b": "x\n"})
    assert await call(search_files, pattern="x", limit=3) == "a:1:x\na:2:x\nb:1:x\n"
    told = await call(search_files, pattern="x", limit=2)
    assert told.startswith("a:1:x\na:2:x\n[Cut after 2 lines.")
    write(folder, {"a": f"{'x' * 290}\n" * 1000})
    told = await call(search_files, pattern="x", limit=1000)
    assert len(told.encode()) < BYTES_LIMIT + 200
    assert "[Cut after" in told


async def test_of_a_long_line_what_is_around_the_match_is_told(
    folder: Path, search_files: SearchFiles
) -> None:
    write(folder, {"a": f"{'é' * 1_000_000}needle{'é' * 1_000_000}needle\nneedle\n"})
    first, second = (await call(search_files, pattern="needle")).splitlines()
    assert first.startswith("a:1:…éé")
    assert "éneedleé" in first
    assert first.endswith("é…")
    assert len(first) < 300
    assert second == "a:2:needle"


@pytest.mark.parametrize("pattern", ["(", r"(a)\1", "(?=a)", "a{5000}", "[z-a]", r"\pL{900}"])
async def test_a_pattern_that_cannot_be_is_refused(search_files: SearchFiles, pattern: str) -> None:
    assert "is no regular expression here" in await refusal(search_files, pattern=pattern)


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)+$", "(.*a){12}$", "(?:a?){900}b"])
async def test_a_pattern_that_would_backtrack_for_ever_does_not(
    folder: Path, search_files: SearchFiles, pattern: str
) -> None:
    write(folder, {"a": f"{'a' * 5000}!\n" * 4})
    async with asyncio.timeout(5):
        assert "No line matches" in await call(search_files, pattern=pattern)


async def test_a_name_that_is_not_utf8_is_searched_too(
    folder: Path, search_files: SearchFiles
) -> None:
    write(folder, {os.fsdecode(b"caf\xe9"): "one"})
    assert await call(search_files, pattern="one") == "caf�:1:one\n"


async def test_when_the_time_is_up_that_is_said(folder: Path, workspace: Workspace) -> None:
    write(folder, {"a": "one"})
    told = await call(SearchFiles(workspace, seconds=0), pattern="one")
    assert "[Stopped after 0 seconds, so this may not be all." in told


async def test_a_cancelled_search_leaves_its_thread_soon(folder: Path) -> None:
    write(folder, {"a": "text\n" * 2000})
    os.truncate(folder / "a", 1024**4)
    opened = threading.Event()

    def opening(at: int, path: str, flags: int) -> int:
        opened.set()
        return open_step_by_step(at, path, flags)

    search = SearchFiles(Workspace(folder, opener=opening), seconds=60)
    with ThreadPoolExecutor() as waiting:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(max_workers=1))
        task = asyncio.create_task(call(search, pattern="never", path="a"))
        await asyncio.get_running_loop().run_in_executor(waiting, opened.wait, 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    async with asyncio.timeout(5):
        assert await asyncio.to_thread(lambda: "the only thread is free again")
