"""How the process of a server is begun."""

from __future__ import annotations

from collections.abc import Sequence


def launched(command: str, arguments: Sequence[str]) -> tuple[str, list[str]]:
    """The command that starts the server: the one place to put something around it."""
    return command, list(arguments)
