"""PostgreSQL refuses to run as root: the account that it runs as then, and the paths it walks."""

import os
import pwd
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import structlog

from turnlog.adapters.embedded.errors import EmbeddedPostgresFailed

ACCOUNT_NAME = "pgserver"  # the wheel's choice, kept: both can open the same folder

log = structlog.get_logger(__name__)


class Account(NamedTuple):
    uid: int
    gid: int

    def process_options(self) -> dict[str, Any]:
        """What `subprocess.run` must be told to run something as this account."""
        if os.geteuid() != 0:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def account_for(cluster: Path) -> Account:
    """Ourselves, or, if that is root, who owns the cluster already, or a system account for it."""
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid())
    if cluster.exists() and cluster.stat().st_uid != 0:
        return Account(cluster.stat().st_uid, cluster.stat().st_gid)
    try:
        entry = pwd.getpwnam(ACCOUNT_NAME)
    except KeyError:
        entry = _add_account()
    return Account(entry.pw_uid, entry.pw_gid)


def _add_account() -> pwd.struct_passwd:
    command = ["useradd", "--system", "--user-group", "--shell", "/usr/sbin/nologin", ACCOUNT_NAME]
    try:
        subprocess.run(command, capture_output=True, check=True)
        return pwd.getpwnam(ACCOUNT_NAME)
    except (OSError, subprocess.CalledProcessError, KeyError) as error:
        raise EmbeddedPostgresFailed(
            reason=f"it does not run as root, and the account '{ACCOUNT_NAME}' could not be added "
            f"({error}). Start turnlog as another user, or set TURNLOG_DATABASE_URL."
        ) from error


def make_reachable(folder: Path) -> None:
    """Let the account walk to `folder` and use what it holds, if we are root and it could not.

    The folders above get the permission to be walked through (`o+x`), not to be listed.
    """
    if os.geteuid() != 0:
        return
    for above in folder.parents:
        _allow(above, 0o001)


def make_readable(folder: Path) -> None:
    """Let the account read the installed files in `folder`, which a strict umask hid from it."""
    if os.geteuid() != 0 or folder.stat().st_mode & 0o005 == 0o005:
        return
    for path in [folder, *folder.rglob("*")]:
        _allow(path, 0o005 if path.is_dir() or path.stat().st_mode & 0o100 else 0o004)


def _allow(path: Path, permission: int) -> None:
    mode = path.stat().st_mode & 0o7777
    if mode & permission != permission:
        log.info("embedded_postgres.opened_path", path=str(path), mode=oct(mode | permission))
        path.chmod(mode | permission)
