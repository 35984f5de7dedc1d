"""The command line: `turnlog serve` and `turnlog projections`."""

from __future__ import annotations

from turnlog.cli.main import main

__all__ = ["main"]
