"""Child processes that die with their node, whatever becomes of it or of them."""

from __future__ import annotations

from turnlog.adapters.children.kept import KeptProcess, kept_command, kept_process

__all__ = ["KeptProcess", "kept_command", "kept_process"]
