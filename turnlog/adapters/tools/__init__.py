"""The built-in tools: what a model may do with the folder that the operator gave it."""

from __future__ import annotations

import os

from turnlog.adapters.tools.list_files import ListFiles
from turnlog.adapters.tools.read_file import ReadFile
from turnlog.adapters.tools.search_files import SearchFiles
from turnlog.adapters.tools.workspace import Workspace

__all__ = ["ListFiles", "ReadFile", "SearchFiles", "Workspace", "reading_tools"]


def reading_tools(root: str | os.PathLike[str]) -> tuple[ReadFile, ListFiles, SearchFiles]:
    """The three that only read; raises `OSError` if `root` is no folder."""
    workspace = Workspace(root)
    return ReadFile(workspace), ListFiles(workspace), SearchFiles(workspace)
