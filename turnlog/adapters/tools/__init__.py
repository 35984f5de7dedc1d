"""The built-in tools: what a model may do with the folder that the operator gave it."""

from __future__ import annotations

import os

from turnlog.adapters.tools.apply_patch import ApplyPatch
from turnlog.adapters.tools.list_files import ListFiles
from turnlog.adapters.tools.read_file import ReadFile
from turnlog.adapters.tools.search_files import SearchFiles
from turnlog.adapters.tools.workspace import Workspace
from turnlog.adapters.tools.write_file import WriteFile

__all__ = [
    "ApplyPatch",
    "ListFiles",
    "ReadFile",
    "SearchFiles",
    "Workspace",
    "WriteFile",
    "reading_tools",
    "writing_tools",
]


Root = str | os.PathLike[str] | Workspace
"""A folder, or one that is open already, for several tools to share."""


def reading_tools(root: Root) -> tuple[ReadFile, ListFiles, SearchFiles]:
    """The three that only read; raises `OSError` if `root` is no folder."""
    workspace = _workspace(root)
    return ReadFile(workspace), ListFiles(workspace), SearchFiles(workspace)


def writing_tools(root: Root) -> tuple[WriteFile, ApplyPatch]:
    """The two that change files, for conversations that choose them; raises `OSError` too."""
    workspace = _workspace(root)
    return WriteFile(workspace), ApplyPatch(workspace)


def _workspace(root: Root) -> Workspace:
    return root if isinstance(root, Workspace) else Workspace(root)
