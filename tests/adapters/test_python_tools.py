"""The operator's tools are found where they are named, or refused with the reason."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from turnlog.adapters.python_tools import ToolsRefused, python_tools

TOOL = '''
from turnlog.toolkit import tool

@tool
def {name}() -> str:
    """Do it."""
    return {returned!r}
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that modules are imported from; they are forgotten afterwards."""
    before = set(sys.modules)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


def write(folder: Path, module: str, *names: str, more: str = "") -> Path:
    path = folder / f"{module}.py"
    path.write_text("".join(TOOL.format(name=name, returned=module) for name in names) + more)
    return path


def names(named: str) -> list[str]:
    return [tool.spec.name for tool in python_tools(named)]


def refused(named: str, *taken: str) -> tuple[str, ...]:
    with pytest.raises(ToolsRefused) as refusal:
        python_tools(named, taken)
    return refusal.value.faults


def install(folder: Path, package: str, entry_points: str) -> None:
    """What an installer leaves of a package."""
    info = folder / f"{package}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[turnlog.tools]\n{entry_points}\n")


def test_nothing_named_is_nothing_offered() -> None:
    assert names("") == []
    assert names(" , ") == []


def test_a_module_offers_every_tool_in_it_and_an_attribute_one(folder: Path) -> None:
    write(folder, "shop_a", "one", "two")
    write(folder, "shop_b", "three", "four")
    assert names("shop_a, shop_b:four") == ["one", "two", "four"]


async def test_a_file_is_named_by_its_path(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "deep").mkdir()
    path = write(folder / "deep", "my tools", "one")
    assert names(str(path)) == ["one"]
    monkeypatch.chdir(folder)
    assert names("deep/my tools.py:one") == ["one"]


def test_a_file_may_import_what_lies_beside_it_and_hides_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    beside = folder / "beside"
    beside.mkdir()
    write(beside, "shop_prices", "price")
    write(beside, "colorsys", "one", more="import shop_prices\n")
    write(beside, "shop_c", "two", more="from shop_prices import price\n")
    named = ",".join(f"{beside}/{name}.py" for name in ("colorsys", "shop_c", "shop_prices"))
    assert names(named) == ["one", "two", "price"]
    assert hasattr(importlib.import_module("colorsys"), "rgb_to_hsv")


def test_a_tool_that_is_named_twice_is_offered_once(folder: Path) -> None:
    write(folder, "shop_d", "one")
    install(folder, "shop", "any = shop_d:one")
    assert names(f"shop_d,shop_d:one,{folder}/shop_d.py") == ["one"]


def test_packages_bring_tools_by_entry_points(folder: Path) -> None:
    write(folder, "shop_e", "one", "two")
    write(folder, "shop_f", "three", "four")
    install(folder, "shop", "all = shop_e\nfourth = shop_f:four")
    assert names("") == ["one", "two", "four"]


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ("no_such", "ModuleNotFoundError: No module named 'no_such'."),
        ("shop_g:nothing", "it has no 'nothing'."),
        ("shop_g:VALUE", "'VALUE' is no @tool."),
        ("shop_empty", "there is no @tool in it."),
        ("shop_g.py", "there is no file "),
        ("shop_raises", "ZeroDivisionError: division by zero ({folder}/shop_raises.py, line 2)."),
        ("shop_exits", "SystemExit: 3 ({folder}/shop_exits.py, line 2)."),
        ("shop_wrong", "'one' cannot be a tool: 'what' has no annotation"),
        ("shop_wrong", "({folder}/shop_wrong.py, line 3)."),
        (":one", "cannot be loaded"),
        ("..", "cannot be loaded"),
    ],
)
def test_what_cannot_be_loaded_is_refused_by_name(folder: Path, named: str, told: str) -> None:
    write(folder, "shop_g", "one", more="VALUE = 1\n")
    write(folder, "shop_empty")
    (folder / "shop_raises.py").write_text("\n1 / 0\n")
    (folder / "shop_exits.py").write_text("\nraise SystemExit(3)\n")
    (folder / "shop_wrong.py").write_text(
        "from turnlog.toolkit import tool\n\n@tool\ndef one(what):\n    'One.'\n"
    )
    (fault,) = refused(named)
    assert fault.startswith(f"TURNLOG_TOOLS: '{named}' cannot be loaded: ")
    assert told.format(folder=folder) in fault


def test_an_entry_point_that_cannot_be_loaded_is_refused_with_its_package(folder: Path) -> None:
    install(folder, "shop", "gone = shop_gone:one")
    assert refused("") == (
        "The entry point 'gone' of the package 'shop' cannot be loaded: "
        "ModuleNotFoundError: No module named 'shop_gone'.",
    )


def test_a_name_that_is_there_twice_or_a_built_ins_is_refused(folder: Path) -> None:
    write(folder, "shop_h", "one", "shell")
    write(folder, "shop_i", "one", "mine")
    assert refused("shop_h,shop_i", "mine") == (
        "TURNLOG_TOOLS: 'shop_h' has a tool 'shell', which is a built-in's name.",
        "TURNLOG_TOOLS: 'shop_i' has a tool 'one', and TURNLOG_TOOLS: 'shop_h' has one too.",
        "TURNLOG_TOOLS: 'shop_i' has a tool 'mine', which is a built-in's name.",
    )
