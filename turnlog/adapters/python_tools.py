"""Tools in Python: those that the operator names, and those that installed packages bring."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Collection, Iterator
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from msgspec import Struct

from turnlog.toolkit import PythonTool

GROUP = "turnlog.tools"
"""The group of entry points; each names a tool, or a module that has some."""

BUILT_IN = frozenset({"readFile", "listFiles", "searchFiles", "writeFile", "applyPatch", "shell"})
"""Names that stay free for the tools of the server, whether it has them or not."""


PACKAGE = str(Path(__file__).parents[1])


class ToolsRefused(Exception):
    """Tools that cannot be offered; each of `faults` is one sentence."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(faults))


class Missing(Exception):
    """Something that was named is not there."""


class Source(Struct, frozen=True):
    """Where tools come from: `where` names it to an operator."""

    where: str
    module: str
    attribute: str

    def tools(self) -> list[PythonTool[Any, Any]]:
        """The tools there; raises `Missing`, and whatever the import raises."""
        module = _module(self.module)
        if not self.attribute:
            found = [it for it in vars(module).values() if isinstance(it, PythonTool)]
            if not found:
                raise Missing("there is no @tool in it")
            return found
        value: Any = module
        for name in self.attribute.split("."):
            if not hasattr(value, name):
                raise Missing(f"it has no '{self.attribute}'")
            value = getattr(value, name)
        if isinstance(value, ModuleType):
            return Source(self.where, value.__name__, "").tools()
        if not isinstance(value, PythonTool):
            raise Missing(f"'{self.attribute}' is no @tool")
        return [value]


def python_tools(named: str, taken: Collection[str] = ()) -> list[PythonTool[Any, Any]]:
    """The tools of the modules that are `named`, and of all entry points of the group.

    Raises `ToolsRefused` with every fault: what cannot be imported, or has no tool, and a
    name that is there twice, or is among those `taken`.
    """
    faults: list[str] = []
    offered: dict[str, tuple[str, PythonTool[Any, Any]]] = {}
    for source in [*_named(named), *_brought()]:
        try:
            found = source.tools()
        # A module that is imported may raise anything, and may even try to end the process.
        except (Exception, SystemExit) as error:
            faults.append(f"{source.where} cannot be loaded: {_reason(error)}.")
            continue
        for tool in found:
            name = tool.spec.name
            before = offered.setdefault(name, (source.where, tool))
            if name in taken or name in BUILT_IN:
                faults.append(f"{source.where} has a tool '{name}', which is a built-in's name.")
            elif before[1] is not tool:
                faults.append(f"{source.where} has a tool '{name}', and {before[0]} has one too.")
    if faults:
        raise ToolsRefused(faults)
    return [tool for _, tool in offered.values()]


def _named(named: str) -> Iterator[Source]:
    for entry in filter(None, map(str.strip, named.split(","))):
        module, colon, attribute = entry.rpartition(":")
        if not colon:
            module, attribute = attribute, ""
        yield Source(f"TURNLOG_TOOLS: '{entry}'", module, attribute)


def _brought() -> Iterator[Source]:
    for point in entry_points(group=GROUP):
        package = point.dist.name if point.dist else "an unknown package"
        where = f"The entry point '{point.name}' of the package '{package}'"
        yield Source(where, point.module, point.attr)


def _module(name: str) -> ModuleType:
    """The module of that name, or of that file if it ends in `.py`."""
    if not name.endswith(".py"):
        return importlib.import_module(name)
    path = Path(name).expanduser().resolve()
    if not path.is_file():
        raise Missing(f"there is no file {path}")
    for module in list(sys.modules.values()):
        if getattr(module, "__file__", None) == str(path):
            return module
    known = path.stem if path.stem.isidentifier() else "tools"
    while known in sys.modules or _is_elsewhere(known, path):
        known += "_"
    spec = importlib.util.spec_from_file_location(known, path)
    if spec is None or spec.loader is None:
        raise Missing(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    # Last, so that a file beside it hides nothing that is installed.
    if (folder := str(path.parent)) not in sys.path:
        sys.path.append(folder)
    sys.modules[known] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[known]
        raise
    return module


def _is_elsewhere(name: str, path: Path) -> bool:
    spec = importlib.util.find_spec(name)
    return spec is not None and spec.origin != str(path)


def _reason(error: BaseException) -> str:
    if isinstance(error, Missing):
        return str(error)
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "importlib" not in frame.filename and not frame.filename.startswith(PACKAGE)
    ]
    place = f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {str(error).rstrip('.')}{place}"
