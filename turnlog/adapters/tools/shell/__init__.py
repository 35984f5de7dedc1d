"""The tool `shell`: commands of the model's, in the workspace, confined or not."""

from __future__ import annotations

from turnlog.adapters.tools.shell.confinement import CannotRun, Confined, Unconfined
from turnlog.adapters.tools.shell.tool import Shell

__all__ = ["CannotRun", "Confined", "Shell", "Unconfined"]
