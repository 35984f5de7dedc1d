"""The codes with which a command ends, and the words that go with them."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console

from turnlog.bootstrap import SchemaRefused
from turnlog.config import BadSettings
from turnlog.domain.errors import StoreUnavailable

DONE = 0
BAD_SETTINGS = 2
NO_DATABASE = 3


def code_of(run: Callable[[], int | None]) -> int:
    """Run it; the code that it returns, or that of its refusal, which is told."""
    try:
        return run() or DONE
    except BadSettings as bad:
        _say("turnlog cannot start with these settings:", *bad.faults)
        return BAD_SETTINGS
    except (StoreUnavailable, SchemaRefused) as refused:
        _say("turnlog has no database:", str(refused))
        return NO_DATABASE


def _say(*lines: str) -> None:
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    for number, line in enumerate(lines):
        console.print(line if number == 0 else f"  {line}", markup=False)
