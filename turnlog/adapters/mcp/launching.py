"""How the process of a server is begun."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Mapping, Sequence

from turnlog.adapters.children import kept_command


def launched(command: str, arguments: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """The command that starts the server, below a keeper: it dies with its node, however that ends.

    Raises `OSError` where it is not there or cannot be run, which a keeper could not tell.
    """
    if shutil.which(command, path=environment.get("PATH")) is None:
        number = errno.EACCES if os.path.exists(command) else errno.ENOENT
        raise OSError(number, os.strerror(number), command)
    if sys.platform != "linux":
        return [command, *arguments]
    return kept_command([command, *arguments])
