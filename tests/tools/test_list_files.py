"""listFiles tells what is in a folder, sorted, and never goes through a link."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.tools.calls import call, refusal
from tests.tools.conftest import SECRET
from turnlog.adapters.tools import ListFiles, Workspace


def make(folder: Path, *paths: str) -> None:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(os.fsencode(path))


async def test_a_folder_is_listed_by_name_with_its_folders_marked(
    folder: Path, list_files: ListFiles
) -> None:
    make(folder, "b.py", "a/deep/x.py", "c", ".env")
    assert await call(list_files) == ".env\na/\nb.py\nc\n"
    assert await call(list_files, path="a") == "a/deep/\n"
    assert await call(list_files, path="./a/") == "a/deep/\n"


async def test_depth_goes_into_the_folders(folder: Path, list_files: ListFiles) -> None:
    make(folder, "b", "a/c/d", "a/b")
    assert await call(list_files, depth=2) == "a/\na/b\na/c/\nb\n"


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.py", ["app.py", "src/app.py", "src/web/app.py"]),
        ("src/*.py", ["src/app.py"]),
        ("./src/*.py", ["src/app.py"]),
        ("src/**/*.py", ["src/app.py", "src/web/app.py"]),
        ("**/app.??", ["app.py", "src/app.py", "src/web/app.py", "src/web/app.ts"]),
        ("*.{ts,md}", ["README.md", "src/web/app.ts"]),
        ("[!a]*.md", ["README.md"]),
        ("web", ["src/web/"]),
        ("src/web/**", ["src/web/app.py", "src/web/app.ts"]),
        ("a+b (1).txt", ["a+b (1).txt"]),
        ("app", []),
    ],
)
async def test_a_glob_finds_paths(
    folder: Path, list_files: ListFiles, pattern: str, found: list[str]
) -> None:
    make(folder, "app.py", "src/app.py", "src/web/app.py", "src/web/app.ts", "README.md")
    make(folder, "a+b (1).txt")
    told = await call(list_files, pattern=pattern)
    assert told == ("".join(f"{path}\n" for path in found) or "[Nothing in it matches.]")


async def test_a_glob_is_relative_to_the_path(folder: Path, list_files: ListFiles) -> None:
    make(folder, "src/lib/a.py", "src/a.py", "lib/a.py")
    assert await call(list_files, path="src", pattern="lib/*") == "src/lib/a.py\n"


@pytest.mark.parametrize("pattern", ["{a", "a}", "[z-a]", "[!]"])
async def test_a_broken_glob_is_refused(list_files: ListFiles, pattern: str) -> None:
    assert "is no glob" in await refusal(list_files, pattern=pattern)


async def test_a_glob_full_of_stars_is_matched_at_once(folder: Path, list_files: ListFiles) -> None:
    make(folder, "a" * 250)
    assert await call(list_files, pattern="*a" * 120 + "b") == "[Nothing in it matches.]"


async def test_git_is_left_out_unless_asked_for(folder: Path, list_files: ListFiles) -> None:
    make(folder, ".git/config", "sub/.git/config", ".gitignore")
    assert await call(list_files, pattern="**") == ".gitignore\nsub/\n"
    assert await call(list_files, path=".git") == ".git/config\n"


async def test_the_listing_is_cut_at_the_limit_and_says_so(
    folder: Path, list_files: ListFiles
) -> None:
    make(folder, "a", "b", "c")
    assert await call(list_files, limit=3) == "a\nb\nc\n"
    told = await call(list_files, limit=2)
    assert told.startswith("a\nb\n[Cut after 2 entries.")


async def test_links_are_shown_and_not_gone_through(
    folder: Path, outside: Path, list_files: ListFiles
) -> None:
    make(folder, "src/a")
    (folder / "loop").symlink_to(".")
    (folder / "out").symlink_to(outside)
    (folder / "gone").symlink_to("nowhere")
    os.mkfifo(folder / "pipe")
    assert await call(list_files, pattern="**") == (
        "gone (link)\nloop (link)\nout (link)\npipe (no regular file)\nsrc/\nsrc/a\n"
    )
    assert SECRET not in await refusal(list_files, path="out")


async def test_a_link_that_stays_inside_may_be_named(folder: Path, list_files: ListFiles) -> None:
    make(folder, "packages/web/a")
    (folder / "web").symlink_to("packages/web")
    assert await call(list_files, path="web") == "web/a\n"


async def test_a_name_is_shown_on_one_line_whatever_is_in_it(
    folder: Path, list_files: ListFiles
) -> None:
    make(folder, "line\nbreak", os.fsdecode(b"caf\xe9"))
    assert await call(list_files) == "caf�\nline�break\n"
    assert await call(list_files, pattern="caf?") == "caf�\n"


async def test_an_empty_folder_a_file_and_a_missing_folder_are_told_apart(
    folder: Path, list_files: ListFiles
) -> None:
    assert await call(list_files) == "[Nothing is in it.]"
    make(folder, "a")
    assert "'a' is not a folder" in await refusal(list_files, path="a")
    assert "There is no 'b'" in await refusal(list_files, path="b")


async def test_folders_too_deep_are_passed_over_and_that_is_said(
    folder: Path, list_files: ListFiles
) -> None:
    make(folder, "/".join(["d"] * 70) + "/a")
    told = await call(list_files, pattern="*")
    assert told.count("\n") == 64
    assert "[Passed over, wholly or in part: 1 files or folders" in told


async def test_when_the_time_is_up_that_is_said(folder: Path, workspace: Workspace) -> None:
    make(folder, "a")
    told = await call(ListFiles(workspace, seconds=0))
    assert "[Stopped after 0 seconds, so this may not be all." in told
