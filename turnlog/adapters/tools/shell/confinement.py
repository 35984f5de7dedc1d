"""How a command is run: by bubblewrap, in a world of its own, or as the server itself runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from turnlog.adapters.children import kept_command

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
WORKSPACE = "/workspace"
LIMITS: Mapping[str, int] = {"core": 0, "fsize": 1 << 30, "oom": 1000, "processes": 512}
MEMORY_FILES = str(256 << 20)  # bytes, in each of /tmp and /dev/shm
ETC = Path(__file__).with_name("etc")
SYSTEM = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
# Of /etc only what programs need to start, and nothing in which an operator may put a secret.
HARMLESS = (
    "alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "locale.alias",
    "magic", "mime.types", "perl", "protocols", "services", "ssl/certs", "ssl/openssl.cnf",
    "terminfo", "timezone",
)  # fmt: skip
TRY_SECONDS = 30


class CannotRun(Exception):
    """Why commands cannot be run here in this way: the end of a sentence."""


class Confinement(Protocol):
    """A way to run commands."""

    @property
    def is_confined(self) -> bool: ...

    def environment(self) -> dict[str, str]:
        """All the variables that a command is given, unless the operator adds some."""

    def command(self, script: str, root: str, folder: str) -> list[str]:
        """What is executed to run a script in a `folder` below the workspace's `root`."""


class Unconfined:
    """As the server: with its network, its files and its rights."""

    is_confined = False

    def environment(self) -> dict[str, str]:
        return _environment(os.path.expanduser("~"))

    def command(self, script: str, root: str, folder: str) -> list[str]:
        return [_shell(), "-c", script]


class Confined:
    """In namespaces of its own: no network, no other processes, no files but the workspace's.

    The system's programs are there and cannot be changed. See bwrap(1).
    """

    is_confined = True

    def __init__(self) -> None:
        """Raises `CannotRun`."""
        found = shutil.which("bwrap", path=f"{os.environ.get('PATH', '')}:{PATH}")
        if found is None:
            raise CannotRun(
                "bubblewrap (bwrap) is not installed; on Debian and Ubuntu: apt install bubblewrap"
            )
        self._bwrap = found

    def environment(self) -> dict[str, str]:
        return _environment("/tmp")

    def command(self, script: str, root: str, folder: str) -> list[str]:
        # RLIMIT_NPROC is set inside, where the processes outside do not count: bash says -u for
        # it, other shells -p.
        limited = f"ulimit -u {LIMITS['processes']} || ulimit -p {LIMITS['processes']}; "
        shell = ["/bin/sh", "-c", f'{{ {limited}}} 2>/dev/null; exec "$@"', "sh", _shell()]
        inside = os.path.normpath(os.path.join(WORKSPACE, folder))
        return [self._bwrap, *_world(root), "--chdir", inside, "--", *shell, "-c", script]


def try_out(confinement: Confinement, root: str) -> None:
    """Run a command that does nothing; raises `CannotRun` with what was said instead."""
    if sys.platform != "linux":
        raise CannotRun("commands are run on Linux only")
    try:
        done = subprocess.run(
            kept_command(confinement.command("exit 0", root, "."), LIMITS),
            env=confinement.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TRY_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotRun(f"a command that was tried did not run: {error}") from error
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split()) or f"exit code {done.returncode}"
        hint = "; are user namespaces allowed here?" if confinement.is_confined else ""
        raise CannotRun(f"a command that was tried did not run: {said[-500:]}{hint}")


def _environment(home: str) -> dict[str, str]:
    return {"PATH": PATH, "HOME": home, "LANG": "C.UTF-8", "TERM": "dumb"}


def _shell() -> str:
    return "/bin/bash" if os.access("/bin/bash", os.X_OK) else "/bin/sh"


def _world(root: str) -> list[str]:
    """What there is inside. The environment is not cleared, since it comes clean."""
    world = ["--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent"]
    world += ["--new-session", "--cap-drop", "ALL", "--uid", "1000", "--gid", "1000"]
    world += ["--hostname", "turnlog", "--ro-bind", "/usr", "/usr"]
    for folder in SYSTEM:
        if os.path.islink(folder):
            world += ["--symlink", os.readlink(folder), folder]
        elif os.path.isdir(folder):
            world += ["--ro-bind", folder, folder]
    for name in HARMLESS:
        world += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    for name in ("passwd", "group"):
        world += ["--ro-bind", str(ETC / name), f"/etc/{name}"]
    world += ["--proc", "/proc", "--dev", "/dev"]
    for folder in ("/dev/shm", "/tmp"):
        world += ["--size", MEMORY_FILES, "--perms", "1777", "--tmpfs", folder]
    world += ["--bind", root, WORKSPACE]
    # Where the server is root's, commands are too, whatever number they see: the kernel's
    # settings in /proc/sys would be theirs to change.
    for folder in ("/proc", "/dev", "/"):
        world += ["--remount-ro", folder]
    return world
