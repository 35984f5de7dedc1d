"""What runs below a keeper ends with it, with its parent and with its command, to the last."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.processes import PATIENCE, kill_all, marked, new_mark, wait_until_gone
from turnlog.adapters.children import kept_command
from turnlog.adapters.children.kept import KEEPER

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="keepers are for Linux")

# Each leaves a process behind, which says `ready` when it is there.
STAYS = "sh -c 'echo ready; sleep {mark}; exit'"
ESCAPES = {
    "in the background": f"{STAYS} &",
    "in a session of its own": f"setsid {STAYS} &",
    "forked twice": f"( (setsid {STAYS} &) & )",
    "deaf to signals": f"(trap '' TERM HUP INT; {STAYS}) &",
    "a tree": f"(sleep {{mark}} & setsid sleep {{mark}} & {STAYS}) & sleep {{mark}} &",
    "stopped": f"{STAYS} & (sleep {{mark}} & kill -STOP $!) &",
}

# Its processes live for a moment each, every one in a session of its own.
COMET = """
import os, sys
print("ready", flush=True)
while True:
    if os.fork():
        os._exit(0)
    os.setsid()
"""

PARENT = """
import subprocess, sys, threading, time
from turnlog.adapters.children import kept_command
def start():
    subprocess.Popen(kept_command(sys.argv[2:]))
if sys.argv[1] == "thread":
    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
else:
    start()
time.sleep(3600)
"""


@pytest.fixture
def mark() -> Iterator[str]:
    mark = new_mark()
    yield mark
    kill_all(mark)


@contextmanager
def kept(*command: str, **limits: int) -> Iterator[subprocess.Popen[str]]:
    """The command below a keeper, with pipes."""
    with subprocess.Popen(
        kept_command(command, limits),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        yield process


def line(process: subprocess.Popen[str]) -> str:
    """The next line that it says."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def descendants(pid: int) -> list[int]:
    """Its oldest child, the oldest child of that one, and so on."""
    found = []
    while children := Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        found.append(pid := int(children[0]))
    return found


def run(script: str, **limits: int) -> tuple[int, str]:
    """The exit code of a script, and what it said."""
    with kept("sh", "-c", script, **limits) as process:
        said, _ = process.communicate(timeout=PATIENCE)
        return process.returncode, said


@pytest.mark.parametrize(
    ("script", "code"),
    [("true", 0), ("exit 3", 3), ("exit 255", 255), ("kill -9 $$", 137), ("kill $$", 143)],
)
def test_a_keeper_exits_as_a_shell_does(script: str, code: int) -> None:
    assert run(script) == (code, "")


def test_a_command_that_is_not_there_is_told() -> None:
    with kept("/no/command") as process:
        assert line(process) == "/no/command cannot be run: No such file or directory"
        assert process.wait(PATIENCE) == 127


@pytest.mark.parametrize("script", ESCAPES.values(), ids=ESCAPES)
def test_what_a_command_leaves_running_ends_with_it(script: str, mark: str) -> None:
    with kept("sh", "-c", script.format(mark=mark) + "\nread line") as process:
        assert line(process) == "ready"
        own = [process.pid, *descendants(process.pid)[:2]]
        assert set(marked(mark)) - set(own)
        process.communicate("\n", timeout=PATIENCE)
        assert process.returncode == 0
        assert marked(mark) == []


@pytest.mark.parametrize("script", ESCAPES.values(), ids=ESCAPES)
def test_sigterm_ends_all_at_once(script: str, mark: str) -> None:
    with kept("sh", "-c", f"trap '' TERM; {script.format(mark=mark)}\nsleep {mark}") as process:
        assert line(process) == "ready"
        process.terminate()
        assert process.wait(PATIENCE) == 128 + signal.SIGTERM
        assert marked(mark) == []


@pytest.mark.parametrize("where", ["main", "thread"])
def test_all_ends_with_the_parent_however_it_ends(where: str, mark: str) -> None:
    script = f"setsid sleep {mark} & echo ready; sleep {mark}"
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, where, "sh", "-c", script],
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert line(parent) == "ready"
        # That the thread has ended by now, which started it, did it no harm.
        assert len(marked(mark)) > 2
        parent.kill()
        parent.wait(PATIENCE)
        wait_until_gone(mark)


def test_nothing_is_started_for_a_parent_that_has_gone(tmp_path: Path) -> None:
    with subprocess.Popen(["true"]) as gone:
        gone.wait(PATIENCE)
    for stranger in (gone.pid, os.getppid()):
        command = [sys.executable, "-I", "-S", str(KEEPER), str(stranger), "--"]
        done = subprocess.run([*command, "touch", str(tmp_path / "started")], timeout=PATIENCE)
        assert done.returncode == 128 + signal.SIGTERM
        assert list(tmp_path.iterdir()) == []


def test_a_command_that_kills_its_keeper_ends_all_the_same(mark: str) -> None:
    script = f"setsid sleep {mark} & sleep {mark} & kill -9 $PPID; sleep {mark}"
    code, _ = run(script)
    assert code == 128 + signal.SIGKILL
    assert marked(mark) == []


def test_all_ends_when_the_upper_keeper_is_killed(mark: str) -> None:
    with kept("sh", "-c", f"setsid sleep {mark} & echo ready; sleep {mark}") as process:
        assert line(process) == "ready"
        process.kill()
        process.wait(PATIENCE)
        wait_until_gone(mark)


def test_processes_that_flee_from_fork_to_fork_are_caught(mark: str) -> None:
    with kept(sys.executable, "-c", COMET, mark) as process:
        assert line(process) == "ready"
        assert process.wait(PATIENCE) == 0
        assert marked(mark) == []
    with kept("sh", "-c", f"{sys.executable} -c '{COMET}' {mark} & sleep {mark}") as process:
        assert line(process) == "ready"
        process.terminate()
        assert process.wait(PATIENCE) == 128 + signal.SIGTERM
        assert marked(mark) == []


def test_a_keeper_stands_between_nobody_and_the_pipes(mark: str) -> None:
    with kept("cat") as process:
        said, _ = process.communicate("what is said\n", timeout=PATIENCE)
        assert (said, process.returncode) == ("what is said\n", 0)
    with kept("sh", "-c", f"exec >&- 2>&-; sleep {mark}") as process:
        assert line(process) == ""
        assert process.poll() is None
        process.terminate()


def test_a_command_has_signals_as_any_program_has_them() -> None:
    code, said = run("grep -E 'SigBlk|SigIgn' /proc/self/status; yes | head -1")
    assert code == 0
    _, blocked, _, ignored, last = said.split()
    # Two signals are the C library's own: nobody can set them, and they are inherited as they are.
    mask = ~(0b11 << 31)
    assert (int(blocked, 16) & mask, int(ignored, 16) & mask, last) == (0, 0, "y")


def test_a_command_has_its_limits() -> None:
    script = "ulimit -c; cat /proc/self/oom_score_adj; head -c 9999 /dev/zero > $0; echo $?"
    with kept("sh", "-c", script, "/dev/null", core=0, oom=1000, fsize=4096) as process:
        said, _ = process.communicate(timeout=PATIENCE)
    assert said.split() == ["0", "1000", "0"]


def test_a_file_ends_at_its_limit(tmp_path: Path) -> None:
    file = tmp_path / "file"
    with kept("sh", "-c", 'head -c 9999 /dev/zero > "$0"', str(file), fsize=4096) as process:
        assert process.wait(PATIENCE) == 128 + signal.SIGXFSZ
    assert file.stat().st_size == 4096


def test_processes_are_counted_where_there_are_control_groups() -> None:
    _, said = run("cat /proc/self/cgroup", processes=20)
    groups = [row.rpartition("/")[2] for row in said.split() if "/turnlog-" in row]
    if not groups:
        pytest.skip("this process may not make control groups")
    _, said = run("for i in $(seq 40); do sleep 9 & done", processes=20)
    assert "fork" in said
    assert not list(Path("/sys/fs/cgroup").glob(f"**/{groups[0]}"))


def test_many_keepers_at_once_do_not_get_in_each_others_way() -> None:
    codes: list[int] = []
    threads = [
        threading.Thread(target=lambda code=code: codes.append(run(f"exit {code}")[0]))
        for code in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == list(range(8))
