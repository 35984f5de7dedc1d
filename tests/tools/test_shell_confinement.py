"""What a confined command cannot do, however it tries; the same tries succeed without."""

from __future__ import annotations

import asyncio
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.processes import PATIENCE, kill_all, marked, new_mark, wait_until_gone
from tests.tools.calls import call
from tests.tools.conftest import SECRET
from turnlog.adapters.children.keeper import make_group, remove_group
from turnlog.adapters.tools import Workspace
from turnlog.adapters.tools.shell import CannotRun, Confined, Shell, Unconfined, confinement
from turnlog.adapters.tools.shell.confinement import LIMITS
from turnlog.domain.errors import ToolTimedOut

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="commands run on Linux only")

ROOT = Path(__file__).parents[2]
NOT_COUNTED = 4  # the program below, the two keepers, and for some the outer part of bwrap

# Runs a command in `argv[1]` within bounds of its own, in case that those of the shell fail.
BOUNDED = """
import asyncio, os, resource, sys
from turnlog.adapters.children.keeper import make_group, write
from turnlog.adapters.tools import Workspace
from turnlog.adapters.tools.shell import Confined, Shell
from turnlog.domain.errors import ToolTimedOut

if group := make_group("1500"):
    write(group + "/cgroup.procs", "0")
else:
    resource.setrlimit(resource.RLIMIT_NPROC, (4000, 4000))

async def main():
    shell = Shell(Workspace(sys.argv[1]), Confined(), seconds=float(sys.argv[3]))
    async def progress(piece):
        print(piece, end="", flush=True)
    try:
        await shell.run({"command": sys.argv[2]}, "call-1", progress)
    except ToolTimedOut as failure:
        print(failure)
    print("group", group)

asyncio.run(main())
"""


@pytest.fixture
def mark() -> Iterator[str]:
    mark = new_mark()
    yield mark
    kill_all(mark)


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """Of a server on this machine that says `hello`."""

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello\n")
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def test_there_is_no_network(
    confined_shell: Shell, unconfined_shell: Shell, port: int
) -> None:
    if not os.access("/bin/bash", os.X_OK):
        pytest.skip("there is no bash to connect with")
    command = f"cat < /dev/tcp/127.0.0.1/{port}"
    assert await call(unconfined_shell, command=command) == "hello\n"
    told = await call(confined_shell, command=command)
    assert "hello" not in told
    assert told.endswith("[exit code 1]")
    interfaces = await call(confined_shell, command="tail -n +3 /proc/net/dev | cut -d: -f1")
    assert interfaces.split() == ["lo"]


async def test_nothing_outside_can_be_read(
    confined_shell: Shell, unconfined_shell: Shell, trap: Path, outside: Path
) -> None:
    command = f"cat link_to_file link_to_folder/file.txt {outside}/file.txt ../outside/file.txt"
    assert SECRET in await call(unconfined_shell, command=command)
    assert SECRET not in await call(confined_shell, command=command)
    for path in ("/etc/shadow", "/etc/gshadow", "/etc/hosts", "/root", "/home", "/var", "/run",
                 "/sys", str(trap), str(Path.home()), str(ROOT), "link_to_root/etc/shadow",
                 "/proc/1/root/etc/shadow", "/proc/1/cwd/../etc/shadow"):  # fmt: skip
        told = await call(confined_shell, command=f"ls -d {path}/ || ls {path}")
        assert told.endswith("[exit code 2]"), told
    passwd = await call(confined_shell, command="cat /etc/passwd /etc/group; whoami; id -u")
    assert passwd.split("\n")[1:] == ["agent:x:1000:", "agent", "1000", ""]


async def test_nothing_outside_can_be_written(
    confined_shell: Shell, trap: Path, outside: Path
) -> None:
    before = os.listdir(outside)
    for path in ("/usr/new", "/etc/new", "/etc/passwd", "/bin/new", "/new", "/dev/new",
                 "/proc/sys/kernel/hostname", "/proc/sys/kernel/core_pattern",
                 "/proc/sysrq-trigger", "/proc/self/oom_score_adj", "link_to_folder/new",
                 "link_to_file", "../new", f"{outside}/new"):  # fmt: skip
        # Opened and not written: some of them would hurt the whole machine.
        told = await call(confined_shell, command=f": >> {path}")
        assert "[exit code" in told, path
    assert os.listdir(outside) == before
    assert (outside / "file.txt").read_text() == SECRET


async def test_the_workspace_and_a_temporary_folder_can_be_written(
    confined_shell: Shell, folder: Path
) -> None:
    command = "echo hi > file; echo hi > /tmp/file; echo hi > ~/file2; ls /tmp"
    assert await call(confined_shell, command=command) == "file\nfile2\n"
    assert (folder / "file").read_text() == "hi\n"
    assert (folder / "file").stat().st_uid == os.getuid()
    assert await call(confined_shell, command="ls -A /tmp | wc -l") == "0\n"
    assert not (Path("/tmp") / "file2").exists()


async def test_memory_cannot_be_filled_by_files(confined_shell: Shell) -> None:
    for path in ("/tmp/big", "/dev/shm/big"):
        told = await call(confined_shell, command=f"head -c 300M /dev/zero > {path}")
        assert "No space left" in told


async def test_no_other_process_is_seen_and_none_of_their_environments(
    workspace: Workspace, confined: Confined, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell = Shell(workspace, confined, environment={"CHOSEN": "word"})
    monkeypatch.setenv("DATABASE_URL", "postgresql://ada:hush@db")
    told = await call(shell, command="cat /proc/*/environ; echo /proc/[0-9]*")
    assert "CHOSEN=word" in told
    assert "hush" not in told
    assert len(told.splitlines()[-1].split()) < 8
    assert f"/proc/{os.getpid()}" not in told.split()


@pytest.mark.parametrize(
    "command",
    [
        "kill -9 -1; kill -9 1; kill -9 $PPID; echo alive",
        "kill -STOP 1; kill -STOP $PPID; echo alive",
        "unshare -U true || unshare -r true || echo alive",
        "mount -t tmpfs none /tmp || umount /usr || chroot / true || echo alive",
        "su -c true || sudo -n true || echo alive",
        "mknod disk b 254 0 || echo alive",
        "cat /dev/mem /dev/kmsg /dev/sda /dev/vda || echo alive",
        "echo x > /dev/tty || echo alive",
    ],
)
async def test_no_power_is_to_be_had(confined_shell: Shell, command: str) -> None:
    told = await call(confined_shell, command=command)
    assert told.splitlines()[-1] == "alive"


async def test_a_command_has_no_capability_and_can_get_none(confined_shell: Shell) -> None:
    told = await call(confined_shell, command="grep -E '^(Cap|NoNewPrivs)' /proc/self/status")
    values = dict(line.split(":\t") for line in told.splitlines())
    assert values.pop("NoNewPrivs") == "1"
    assert {int(value, 16) for value in values.values()} == {0}


async def test_a_file_and_a_core_have_their_limits(confined_shell: Shell, folder: Path) -> None:
    told = await call(confined_shell, command="truncate -s 2G big; ulimit -c; ls big")
    assert not (folder / "big").exists() or (folder / "big").stat().st_size <= 1 << 30
    assert "0\n" in told


async def test_endless_output_costs_neither_memory_nor_the_others(
    confined_shell: Shell,
) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ToolTimedOut):
        await call(confined_shell, command="head -c 10G /dev/zero", timeoutSeconds=3)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 32 * 1024  # KiB


def test_a_fork_bomb_ends_with_its_time(folder: Path, confined: Confined, mark: str) -> None:
    if os.getuid() == 0:
        group = make_group("10")
        if group is None:
            pytest.skip("root's processes are bounded by control groups only, and there are none")
        remove_group(group)
    many = f"seq 700 | xargs -P 700 -I% sleep {mark}"
    said, most = run_bounded(folder, many, 2, mark)
    assert "It was killed after 2 s." in said
    assert 400 < most <= LIMITS["processes"] + NOT_COUNTED
    bomb = f"bomb() {{ : {mark}; bomb | bomb & }}; bomb; sleep {mark}"
    said, most = run_bounded(folder, bomb, 2, mark)
    assert "It was killed after 2 s." in said
    assert 400 < most <= LIMITS["processes"] + NOT_COUNTED
    said, _ = run_bounded(folder, "echo still well", 30, mark)
    assert "still well" in said


def run_bounded(folder: Path, command: str, seconds: float, mark: str) -> tuple[str, int]:
    """What was told of a command, or more, and how many marked processes were seen at most."""
    most = 0
    with tempfile.TemporaryFile("w+") as told:
        program = [sys.executable, "-c", BOUNDED, str(folder), command, str(seconds)]
        with subprocess.Popen(program, stdout=told, stderr=subprocess.STDOUT) as process:
            while process.poll() is None:
                most = max(most, len(marked(mark)))
        assert marked(mark) == []
        told.seek(0)
        said = told.read()
    group = said.split()[-1]
    if group.startswith("/"):
        os.rmdir(group)
    assert process.returncode == 0, said
    return said, most


async def test_cancelling_at_any_moment_of_the_start_leaves_nothing(
    confined_shell: Shell, mark: str
) -> None:
    for number in range(1, 7):
        command = f"setsid sleep {mark} & sleep {mark} & sleep {mark} & wait"
        running = asyncio.create_task(call(confined_shell, command=command))
        async with asyncio.timeout(PATIENCE):
            while len(await asyncio.to_thread(marked, mark)) < number:
                pass
        running.cancel()
        await asyncio.wait([running])
        assert running.cancelled()
        assert marked(mark) == []


async def test_nothing_is_left_when_all_is_killed_from_outside_in_any_order(
    confined_shell: Shell, mark: str
) -> None:
    for number in range(4):
        ready = asyncio.Event()

        async def progress(_: str, ready: asyncio.Event = ready) -> None:
            ready.set()

        command = f"setsid sleep {mark} & echo ready; sleep {mark}"
        running = asyncio.create_task(confined_shell.run({"command": command}, "k", progress))
        await asyncio.wait_for(ready.wait(), PATIENCE)
        os.kill(sorted(marked(mark))[number], 9)
        await asyncio.wait([running], timeout=PATIENCE)
        assert running.done()
        running.exception()
        await asyncio.to_thread(wait_until_gone, mark)


def test_confinement_without_bubblewrap_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(confinement, "PATH", "/nowhere")
    with pytest.raises(CannotRun, match="apt install bubblewrap"):
        Confined()


def test_confinement_that_the_machine_forbids_is_refused(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bwrap = tmp_path / "bwrap"
    bwrap.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1")
    bwrap.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CannotRun, match=r"No permissions to create new namespace; are user name"):
        Shell(workspace, Confined())


def test_what_is_no_linux_is_refused(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(CannotRun, match="on Linux only"):
        Shell(workspace, Unconfined())
