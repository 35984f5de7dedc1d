"""Processes of this machine: which of them still live, whatever their ids are used for again."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from turnlog.adapters import processes
from turnlog.adapters.processes import is_alive, this_process

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")

TELL = """
import sys
from pathlib import Path
from turnlog.adapters.processes import this_process
if len(sys.argv) > 1:
    Path("/proc/self/comm").write_bytes(bytes.fromhex(sys.argv[1]))
it = this_process()
print(it.machine, it.process, sep="|", flush=True)
sys.stdin.read()
"""


@contextmanager
def child(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str, int]]:
    """A process that tells its machine and its id, and lives until its input ends."""
    with subprocess.Popen(
        [sys.executable, "-c", TELL, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        machine, _, number = process.stdout.readline().strip().partition("|")
        yield process, machine, int(number)
        process.kill()


def test_this_process_is_alive() -> None:
    assert is_alive(this_process().process)


def test_a_process_is_the_same_whenever_it_is_asked() -> None:
    assert this_process() == this_process()


def test_a_child_is_beside_its_parent_and_lives_until_it_ends() -> None:
    with child() as (process, machine, number):
        assert machine == this_process().machine
        assert number != this_process().process
        assert is_alive(number)
        process.communicate("")
        assert not is_alive(number)


def test_a_zombie_is_not_alive() -> None:
    with child() as (process, _, number):
        process.kill()
        # It has ended, and its parent has not taken note of it.
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert Path(f"/proc/{process.pid}").exists()
        assert not is_alive(number)


def test_another_process_under_the_same_id_is_not_the_one_that_was() -> None:
    with child() as (process, _, number):
        earlier = number - (1 << processes._PID_BITS)
        assert earlier & ((1 << processes._PID_BITS) - 1) == process.pid
        assert is_alive(number)
        assert not is_alive(earlier)


@pytest.mark.parametrize("name", [b"a) R 1 (b", b"caf\xc3", b"\xff\xfe", b") Z"])
def test_the_name_of_a_process_may_be_anything(name: bytes) -> None:
    with child(name.hex()) as (process, _, number):
        assert is_alive(number)
        process.communicate("")
        assert not is_alive(number)


def test_where_processes_cannot_be_told_apart_nobody_is_beside(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(processes, "_PROC", tmp_path)
    one, other = this_process(), this_process()
    assert one.machine != other.machine
    assert one.process == os.getpid()
    assert not is_alive(one.process)
