"""What is in a folder, to be compared."""

from __future__ import annotations

from pathlib import Path


def tree(folder: Path) -> dict[str, bytes | str]:
    """Every path below it: a file's bytes, or what else it is."""
    return {str(path.relative_to(folder)): _kind(path) for path in sorted(folder.rglob("*"))}


def _kind(path: Path) -> bytes | str:
    if path.is_symlink():
        return f"link to {path.readlink()}"
    if path.is_file():
        return path.read_bytes()
    return "folder" if path.is_dir() else "special"


def plant(folder: Path, files: dict[str, bytes | str]) -> None:
    """Write these files, text as UTF-8, and the folders that they need."""
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        data = content if isinstance(content, bytes) else content.encode()
        (folder / path).write_bytes(data)
