"""The command line: `turnlog serve`."""

from __future__ import annotations

from turnlog.cli.main import main

__all__ = ["main"]
