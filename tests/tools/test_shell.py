"""Commands, confined or not: what is told of them, when, and how they end."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.processes import PATIENCE, descriptors, kill_all, marked, new_mark, zombies
from tests.tools.calls import call, refusal
from turnlog.adapters.tools import Workspace
from turnlog.adapters.tools.output import BYTES_LIMIT
from turnlog.adapters.tools.shell import Shell, Unconfined
from turnlog.domain.errors import ToolFailed, ToolTimedOut

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="commands run on Linux only")


@pytest.fixture
def mark() -> Iterator[str]:
    mark = new_mark()
    yield mark
    kill_all(mark)


async def heard(
    shell: Shell, hear: Callable[[str], Awaitable[None]], **arguments: Any
) -> tuple[str, list[str]]:
    """What a call returned, or the words with which it failed, and the pieces told before."""
    pieces: list[str] = []

    async def progress(piece: str) -> None:
        pieces.append(piece)
        await hear(piece)

    try:
        async with asyncio.timeout(PATIENCE):
            return await shell.run(arguments, "call-1", progress), pieces
    except ToolTimedOut as failure:
        return str(failure), pieces


async def unheard(_: str) -> None:
    pass


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("echo hello", "hello\n"),
        ("printf hello", "hello"),
        ("echo one; echo two >&2; echo three", "one\ntwo\nthree\n"),
        ("echo a && (exit 3)", "a\n[exit code 3]"),
        ("printf a; exit 1", "a\n[exit code 1]"),
        ("exit 7", "[exit code 7]"),
        ("kill -9 $$", "[exit code 137, SIGKILL]"),
        ("true", "[no output, exit code 0]"),
        ("cat; echo no input", "no input\n"),
        ("yes | head -1", "y\n"),
        ("echo 'a\nb' # and 'quotes'\necho \"$((1 + 1))\"", "a\nb\n2\n"),
        (r"printf '\377\300\200|\0|\342\202'", "\ufffd\ufffd\ufffd|\ufffd|\ufffd"),
        (r"printf '\342'; sleep 0.1; printf '\202\254'", "€"),
    ],
)
async def test_a_command_tells_what_it_says_and_how_it_ended(
    shell: Shell, command: str, told: str
) -> None:
    output, pieces = await heard(shell, unheard, command=command)
    assert output == told
    assert "".join(pieces) == told


async def test_a_command_that_is_no_shell_script_is_told_by_the_shell(shell: Shell) -> None:
    told = await call(shell, command="if then")
    assert "syntax error" in told.lower()
    assert told.endswith("[exit code 2]")


async def test_what_is_said_is_told_while_the_command_runs(shell: Shell, folder: Path) -> None:
    async def let_go(piece: str) -> None:
        (folder / piece.strip()).touch()

    command = "echo go; while [ ! -e go ]; do sleep 0.01; done; echo gone"
    output, pieces = await heard(shell, let_go, command=command)
    assert output == "go\ngone\n"
    assert pieces[0] == "go\n"


async def test_little_words_are_gathered(shell: Shell) -> None:
    output, pieces = await heard(shell, unheard, command="for i in $(seq 3000); do echo $i; done")
    assert output.split() == [str(number) for number in range(1, 3001)]
    assert len(pieces) < 300


async def test_a_command_waits_while_what_it_says_is_not_taken(
    unconfined_shell: Shell, folder: Path
) -> None:
    async def while_another_runs(_: str) -> None:
        if not (folder / "went_on").exists():
            assert await call(unconfined_shell, command="echo other") == "other\n"
            assert not (folder / "went_on").exists()

    output, pieces = await heard(
        unconfined_shell, while_another_runs, command="head -c 999999 /dev/zero; touch went_on"
    )
    assert output == "".join(pieces)
    assert (folder / "went_on").exists()


@pytest.mark.parametrize("size", [BYTES_LIMIT - 1, BYTES_LIMIT])
async def test_what_fits_is_told_whole(shell: Shell, size: int) -> None:
    output = await call(shell, command=f"head -c {size - 1} /dev/zero | tr '\\0' x; echo")
    assert output == "x" * (size - 1) + "\n"


async def test_of_what_is_too_long_the_beginning_and_the_end_are_told(shell: Shell) -> None:
    command = "echo first; head -c 8000000 /dev/zero | tr '\\0' x; echo; echo last; exit 4"
    output, pieces = await heard(shell, unheard, command=command)
    assert output == "".join(pieces)
    assert output.startswith("first\nxxx")
    assert output.endswith("xxx\nlast\n[exit code 4]")
    left_out = 8_000_000 + len("first\n\nlast\n") - BYTES_LIMIT
    assert f"\n[{left_out:,} bytes are left out here]\n" in output
    assert len(output) < BYTES_LIMIT + 100


async def test_characters_that_are_cut_by_the_limits_do_no_harm(shell: Shell) -> None:
    for shift in range(3):
        output = await call(shell, command=f"printf %{shift}s; yes '€€€€€' | head -c 300000")
        assert set(output.partition("[")[0]) <= set(" €\n\ufffd")
        assert set(output.rpartition("]")[2]) <= set("€\n\ufffd")
        assert output.count("\ufffd") <= 2


async def test_a_command_whose_time_is_over_is_killed_and_its_words_are_kept(
    shell: Shell, mark: str
) -> None:
    command = f"echo said; printf more; setsid sleep {mark} & sleep {mark}"
    told, pieces = await heard(shell, unheard, command=command, timeoutSeconds=1)
    assert ("".join(pieces), told) == ("said\nmore", "\n[It was killed after 1 s.]")
    assert marked(mark) == []


async def test_a_call_can_only_shorten_the_time(workspace: Workspace) -> None:
    shell = Shell(workspace, Unconfined(), seconds=0.5)
    told, _ = await heard(shell, unheard, command="sleep 60", timeoutSeconds=3600)
    assert told == "[It was killed after 0.5 s.]"


async def test_cancelling_ends_every_process_before_it_returns(shell: Shell, mark: str) -> None:
    ready = asyncio.Event()

    async def hear(_: str) -> None:
        ready.set()

    await call(shell, command="true")
    before = descriptors()
    command = f"(setsid sleep {mark} &); trap '' TERM; echo ready; sleep {mark}"
    running = asyncio.create_task(heard(shell, hear, command=command))
    await asyncio.wait_for(ready.wait(), PATIENCE)
    assert marked(mark)
    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled()
    assert marked(mark) == []
    assert (descriptors(), zombies()) == (before, [])


async def test_cancelling_while_what_it_says_is_not_taken_ends_it_too(
    shell: Shell, mark: str
) -> None:
    ready = asyncio.Event()

    async def never(_: str) -> None:
        ready.set()
        await asyncio.Event().wait()

    running = asyncio.create_task(heard(shell, never, command=f"yes {mark}"))
    await asyncio.wait_for(ready.wait(), PATIENCE)
    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled()
    assert marked(mark) == []


async def test_what_runs_in_the_background_ends_with_the_command(shell: Shell, mark: str) -> None:
    assert await call(shell, command=f"(setsid sleep {mark} &) ; echo done") == "done\n"
    assert marked(mark) == []


async def test_a_command_that_says_no_more_is_waited_for(shell: Shell, folder: Path) -> None:
    told = await call(shell, command="exec >&- 2>&-; sleep 0.3; touch done; exit 6")
    assert told == "[exit code 6]"
    assert (folder / "done").exists()


async def test_commands_work_in_the_workspace(shell: Shell, folder: Path) -> None:
    (folder / "sub folder").mkdir()
    (folder / "link").symlink_to("sub folder")
    for path in ("sub folder", "./link/", "link/../sub folder"):
        told = await call(shell, command="pwd; echo hi > new; ls", workingDirectory=path)
        assert told.split("\n", 1)[0].endswith("/sub folder")
        assert (folder / "sub folder" / "new").read_text() == "hi\n"
    assert "sub folder" in await call(shell, command="ls")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("..", "is not inside the workspace"),
        ("/etc", "is not inside the workspace"),
        ("link_to_folder", "is not inside the workspace"),
        ("absolute_link", "is not inside the workspace"),
        ("nowhere", "There is no 'nowhere'"),
        ("src/a.txt", "is not a folder"),
    ],
)
async def test_no_command_is_started_in_a_folder_outside(
    shell: Shell, trap: Path, path: str, words: str
) -> None:
    told = await refusal(shell, command="echo ran", workingDirectory=path)
    assert words in told


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("echo \0", "NUL"),
        ("echo \ud800", "surrogate"),
        ("echo " + "x" * 100_000, "longer than 100,000 bytes"),
        ("", "its arguments are wrong"),
    ],
)
async def test_what_cannot_be_a_command_is_refused(
    unconfined_shell: Shell, command: str, words: str
) -> None:
    assert words in await refusal(unconfined_shell, command=command)


async def test_a_long_command_is_run(shell: Shell) -> None:
    assert await call(shell, command=f": {'x' * 99_000}\necho ran") == "ran\n"


async def test_a_command_is_given_no_variable_but_those_that_were_chosen(
    workspace: Workspace, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "hush")
    lines = (await call(shell, command="env")).splitlines()
    ours = {"PATH", "HOME", "LANG", "TERM"}
    of_the_shell = {"PWD", "OLDPWD", "SHLVL", "_"}
    assert ours <= {line.partition("=")[0] for line in lines} <= ours | of_the_shell
    chosen = Shell(workspace, Unconfined(), environment={"CHOSEN": "word", "LANG": "C"})
    assert await call(chosen, command="echo $CHOSEN $LANG") == "word C\n"


async def test_many_commands_run_at_once(shell: Shell) -> None:
    told = await asyncio.gather(*(call(shell, command=f"echo {n}") for n in range(8)))
    assert told == [f"{number}\n" for number in range(8)]


def test_models_are_told_what_they_can_do(confined_shell: Shell, unconfined_shell: Shell) -> None:
    for shell in (confined_shell, unconfined_shell):
        spec = shell.spec
        assert (spec.repeatable, spec.unasked, spec.seconds) == (False, False, 45.0)
        assert set(spec.parameters["properties"]) == {
            "command", "workingDirectory", "timeoutSeconds",
        }  # fmt: skip
        assert spec.parameters["required"] == ["command"]
        assert "after 30 s" in spec.description
    assert "no network" in confined_shell.spec.description
    assert confined_shell.spec.approval == "never"
    assert "no network" not in unconfined_shell.spec.description
    assert unconfined_shell.spec.approval == "always"


async def test_a_command_that_kills_its_keeper_is_ended_and_told(
    unconfined_shell: Shell, mark: str
) -> None:
    command = f"echo said; setsid sleep {mark} & sleep 0.1; kill -9 $PPID; sleep {mark}"
    told = await call(unconfined_shell, command=command)
    assert told == "said\n[exit code 137, SIGKILL]"
    assert marked(mark) == []


async def test_a_command_that_kills_all_its_keepers_is_told(unconfined_shell: Shell) -> None:
    upper = "$(awk '/^PPid/ {print $2}' /proc/$PPID/status)"
    with pytest.raises(ToolFailed, match="killed together with the process that watches it"):
        await call(unconfined_shell, command=f"kill -9 {upper} $PPID; sleep 60")
