"""The text files at or below a path, one after the other."""

from __future__ import annotations

import os
from collections.abc import Generator
from io import BufferedReader

from turnlog.adapters.tools.beneath import FOLDER
from turnlog.adapters.tools.patterns import Pattern
from turnlog.adapters.tools.refusals import refused, told
from turnlog.adapters.tools.text import HEAD, is_binary, shown_name
from turnlog.adapters.tools.walk import Entry, Walk, below
from turnlog.adapters.tools.workspace import Workspace, open_in
from turnlog.domain.errors import ToolFailed


def text_files(
    workspace: Workspace, path: str, wanted: Pattern | None, walk: Walk
) -> Generator[tuple[str, BufferedReader], None, None]:
    """Each with its path as it is shown, open until the next is asked for.

    Binary files in a folder are left out; one that `path` itself names is
    refused. Raises `ToolFailed`.
    """
    folder = _folder_at(workspace, path)
    if folder is None:
        with workspace.open_file(path) as file:
            refuse_binary(file, path)
            yield shown_name(path), file
        return
    try:
        for entry in walk.entries(folder):
            shown = shown_name(entry.path)
            if entry.kind != "file" or (wanted and not wanted.fullmatch(shown)):
                continue
            file_or_none = _text_file(entry, walk)
            if file_or_none is not None:
                with file_or_none as file:
                    yield shown_name(below(path)) + shown, file
    finally:
        os.close(folder)


def refuse_binary(file: BufferedReader, path: str) -> None:
    """Raise `ToolFailed` if the file, which is open at its beginning, is no text."""
    with told(path):
        if is_binary(file.peek(HEAD)[:HEAD]):
            size = os.fstat(file.fileno()).st_size
            raise refused(path, f"'{{path}}' is a binary file of {size:,} bytes, not text.")


def _folder_at(workspace: Workspace, path: str) -> int | None:
    with told(path):
        try:
            return workspace.open(path, FOLDER)
        except NotADirectoryError:
            return None


def _text_file(entry: Entry, walk: Walk) -> BufferedReader | None:
    try:
        file = open_in(entry.folder, entry.name, entry.path)
    except ToolFailed:
        walk.passed_over += 1
        return None
    try:
        binary = is_binary(file.peek(HEAD)[:HEAD])
    except OSError:
        walk.passed_over += 1
        binary = True
    if binary:
        file.close()
        return None
    return file
