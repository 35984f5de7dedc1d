"""The server process of a folder: found by its `postmaster.pid`, if that is still true."""

import signal
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

PID_FILE = "postmaster.pid"
PORT = 5432  # only names the socket


class Postmaster(NamedTuple):
    pid: int
    socket_dir: str
    ready: bool

    @property
    def url(self) -> str:
        host = quote(self.socket_dir)
        return f"postgresql://postgres@/postgres?host={host}&port={PORT}"


def find_postmaster(cluster: Path) -> Postmaster | None:
    """The one that runs in this folder; `None` if the file is missing or was left behind.

    After a reboot, or in a new container, the number may be another process's: a postmaster is
    known by the folder in which it works.
    """
    import psutil  # comes with the binaries

    try:
        lines = (cluster / PID_FILE).read_text().splitlines()
        pid = int(lines[0])
        if Path(psutil.Process(pid).cwd()) != cluster:
            return None
    except (FileNotFoundError, IndexError, ValueError, psutil.Error):
        return None
    lines += [""] * 8
    return Postmaster(pid, socket_dir=lines[4], ready=lines[7].strip() == "ready")


def quit_orphans(cluster: Path) -> None:
    """Do for a killed postmaster what it does in a crash: make its busy backends quit."""
    import psutil

    for process in psutil.process_iter():
        try:
            if process.name() == "postgres" and Path(process.cwd()) == cluster:
                process.send_signal(signal.SIGQUIT)
        except psutil.Error:
            continue
