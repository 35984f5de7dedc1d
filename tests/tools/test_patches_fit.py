"""For any two texts, the difference between them, applied to one, gives the other."""

from __future__ import annotations

import asyncio
import difflib
import random
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.tools.calls import call, told_or_refused
from tests.tools.trees import plant, tree
from turnlog.adapters.tools import ApplyPatch, Workspace
from turnlog.adapters.tools.patches.applying import applied
from turnlog.adapters.tools.patches.matching import few_places, matches
from turnlog.adapters.tools.patches.reading import read_patch
from turnlog.adapters.tools.watch import Watch
from turnlog.domain.errors import ToolFailed

LINES = st.sampled_from(
    [
        "", "", "a", "b", "c", "d", " a", "a ", "\ta", "-", "+", "- a", "-- ", "-- a", "--- a/x",
        "++ b", "+++ b/x", "@@ -1 +1 @@", "@@", "\\ No newline at end of file", "*** End Patch",
        "*** Update File: x", "diff --git a/x b/x", "größer 😀", "\x0b\x0c\x85\u2028", "a\rb",
    ]
)  # fmt: skip
ENDS = st.sampled_from(["\n", "\n", "\n", "\r\n"])


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Lines, with one kind of end or several, and with an end after the last or without."""
    lines = draw(st.lists(LINES, max_size=25))
    ends = draw(st.one_of(st.just(st.just("\n")), st.just(st.just("\r\n")), st.just(ENDS)))
    text = "".join(line + draw(ends) for line in lines)
    return text if draw(st.booleans()) else text.removesuffix("\n").removesuffix("\r")


@st.composite
def edits(draw: st.DrawFn) -> tuple[str, str]:
    """A text, and the same after some changes."""
    old = draw(texts())
    lines = split(old)
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(lines)))
        put_in = [line + "\n" for line in draw(st.lists(LINES, max_size=3))]
        lines[at : at + draw(st.integers(0, 3))] = put_in
    new = "".join(line if line.endswith("\n") else line + "\n" for line in lines)
    return old, new if draw(st.booleans()) else new.removesuffix("\n")


def split(text: str) -> list[str]:
    """Lines with their ends; only a newline is one."""
    lines = [line + "\n" for line in text.split("\n")]
    lines[-1] = lines[-1].removesuffix("\n")
    return lines if lines[-1] else lines[:-1]


def unified(old: str, new: str, context: int = 3) -> str:
    """Their difference, as git writes it."""
    diff = difflib.unified_diff(split(old), split(new), "a/x", "b/x", n=context)
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in diff
    )


def envelope(old: str, new: str, context: int = 3) -> str:
    """Their difference, without any number."""
    hunks = [
        "@@\n" if line.startswith("@@ ") else line for line in split(unified(old, new, context))[2:]
    ]
    return "".join(["*** Begin Patch\n*** Update File: x\n", *hunks, "*** End Patch\n"])


def result(old: str, patch: str) -> str:
    (file,) = read_patch(patch)
    return applied(old.encode(), file, Watch(60)).data.decode()


@settings(max_examples=500)
@given(st.one_of(edits(), st.tuples(texts(), texts())), st.integers(1, 4))
def test_a_unified_diff_gives_the_edited_text(both: tuple[str, str], context: int) -> None:
    old, new = both
    assume(old != new)
    assert result(old, unified(old, new, context)) == new


@settings(max_examples=300)
@given(edits(), st.integers(1, 4))
def test_without_numbers_it_gives_the_edited_text_or_says_that_it_fits_in_several_places(
    both: tuple[str, str], context: int
) -> None:
    old, new = both
    # Without a header, the headers of other hunks could be taken for its lines.
    assume(old != new and "\r" not in old)
    try:
        made = result(old, envelope(old, new, context))
    except ToolFailed as refusal:
        made = new if " places, at the lines " in str(refusal) else str(refusal)
    assert made == new


@settings(max_examples=200)
@given(
    st.lists(st.booleans(), min_size=1, max_size=60),
    st.integers(-80, 80),
    st.integers(0, 5),
    st.booleans(),
)
def test_wrong_numbers_do_no_harm_where_lines_are_unique(
    changed: list[bool], drift: int, more: int, ended: bool
) -> None:
    assume(any(changed))
    old = "".join(f"line {number}\n" for number in range(len(changed)))
    new = "".join(
        f"line {number}{' changed' * changes}\n" for number, changes in enumerate(changed)
    )
    moved = "".join(f"before {number}\n" for number in range(more))
    diff = re.sub(
        r"(?m)^@@ -(\d+)",
        lambda start: f"@@ -{max(int(start[1]) + drift, 0)}",
        unified(old, new),
    )
    cut = -1 if ended and not changed[-1] else None
    assert result(moved + old[:cut], diff) == moved + new[:cut]


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits(), texts(), st.data())
def test_a_spoiled_patch_is_applied_or_refused_and_never_half(
    folder: Path, both: tuple[str, str], other: str, data: st.DataObject
) -> None:
    old, new = both
    patch = data.draw(st.sampled_from([unified(old, new), envelope(old, new)]))
    lines = split(patch)
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(0, len(lines)))
        lines[at : at + data.draw(st.integers(0, 2))] = data.draw(st.lists(LINES, max_size=2))
    spoiled = "\n".join(line.removesuffix("\n") for line in lines)
    begin = "*** Begin Patch\n"
    whole = f"{begin}*** Add File: y\n+new\n{spoiled.removeprefix(begin)}"
    for asked in (spoiled, whole):
        for path in folder.iterdir():
            path.unlink()
        plant(folder, {"x": other})
        before = tree(folder)
        told = asyncio.run(told_or_refused(ApplyPatch(Workspace(folder)), patch=asked))
        assert told.startswith("Done:\n") or tree(folder) == before
        assert told.startswith("Done:\n") or told.endswith("Nothing was changed.")


@settings(max_examples=300)
@given(
    st.lists(st.integers(0, 2), min_size=1, max_size=5),
    st.lists(st.integers(0, 2), max_size=40),
    st.integers(0, 5),
    st.integers(0, 40),
)
def test_lines_are_found_wherever_they_stand(
    wanted: list[int], text: list[int], first: int, near: int
) -> None:
    size = len(wanted)
    found = matches(wanted, text, first, near)

    assert found.places == [
        at for at in range(first, len(text) - size + 1) if text[at : at + size] == wanted
    ]

    def fit(at: int) -> int:
        return next((n for n in range(size) if text[at + n : at + n + 1] != [wanted[n]]), size)

    if not found.places:
        best = max((fit(at) for at in range(first, len(text))), default=0)
        assert found.most == best
        assert not best or fit(found.nearest) == best


def test_of_lines_that_stand_everywhere_the_places_are_not_kept() -> None:
    assert few_places([1, 2, 3], [1] * 100 + [2, 4, 2]) == {2: [100, 102], 3: []}


# ---------------------------------------------------------------- against git


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-c", "core.autocrlf=false", "-C", str(folder), *arguments],
        check=True,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="surrogateescape",
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"},
    ).stdout


def random_files(chance: random.Random) -> Iterator[tuple[str, str]]:
    for number in range(chance.randrange(1, 8)):
        path = chance.choice(["{}", "src/{}", "a b/{}.txt", "größe/{}", 'q"uote/{}', "b/{}"])
        lines = [chance.choice(["x", "y", "--- z", "", "\tw"]) for _ in range(chance.randrange(40))]
        lines.insert(chance.randrange(len(lines) + 1), f"file {number}")
        yield path.format(number), "\n".join(lines) + chance.choice(["\n", ""])


def changed_files(chance: random.Random, files: dict[str, str]) -> Iterator[tuple[str, str]]:
    for path, text in files.items():
        fate = chance.randrange(5)
        if fate == 0:
            continue
        lines = text.split("\n")
        if fate > 1:
            at = chance.randrange(len(lines) + 1)
            lines[at : at + chance.randrange(3)] = [f"new {path}"] * chance.randrange(4)
        yield f"moved/{path}" if fate == 2 else path, "\n".join(lines)
    yield from (dict(random_files(chance)) if chance.random() < 0.3 else {}).items()


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not there")
@pytest.mark.parametrize("seed", range(15))
async def test_what_git_says_of_two_trees_makes_one_of_the_other(
    tmp_path: Path, folder: Path, seed: int
) -> None:
    chance = random.Random(seed)
    before = dict(random_files(chance))
    after = dict(changed_files(chance, before))
    repository = tmp_path / "repository"
    repository.mkdir()
    plant(repository, dict(before))
    plant(folder, dict(before))
    git(repository, "init", "-q")
    git(repository, "add", ".")
    git(repository, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "before")
    git(repository, "rm", "-rqf", "--ignore-unmatch", ".")
    repository.mkdir(exist_ok=True)
    plant(repository, dict(after))
    git(repository, "add", ".")
    diff = git(repository, "diff", "--cached", "-M")
    if not diff:
        pytest.skip("nothing was changed")

    await call(ApplyPatch(Workspace(folder)), patch=diff)

    left = {path: data for path, data in tree(folder).items() if data != "folder"}
    assert left == {path: text.encode() for path, text in after.items()}
