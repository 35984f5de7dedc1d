"""Tools in Python, offered by a real server: the operator's, and those of installed packages."""

from __future__ import annotations

import asyncio
import os
import sys
import zipfile
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.e2e.client import Client
from tests.e2e.process import ROOT, server

EXAMPLE = "examples/tools/orders.py"

MODULE = '''
from turnlog.toolkit import Call, tool


@tool(repeatable=True)
async def shout(text: str, times: int = 1, *, call: Call) -> str:
    """Say it loudly."""
    await call.say(f"[{call.key}] ")
    return text.upper() * times
'''

INFO = {
    "METADATA": "Metadata-Version: 2.1\nName: shouting\nVersion: 1.0\n",
    "WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "entry_points.txt": "[turnlog.tools]\nshout = shouting:shout\n",
    "RECORD": "",
}


async def install(tmp_path: Path, target: Path) -> None:
    """Build a wheel of a package with a tool, and have pip install it there."""
    wheel = tmp_path / "shouting-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("shouting.py", MODULE)
        for name, text in INFO.items():
            file.writestr(f"shouting-1.0.dist-info/{name}", text)
    flags = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-index"]
    pip = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pip", "install", *flags, "--target", str(target), str(wheel)
    )
    assert await pip.wait() == 0


async def tools(http: aiohttp.ClientSession, api: str) -> dict[str, Any]:
    async with http.get(f"{api}/tools") as response:
        return {tool["name"]: tool for tool in (await response.json())["tools"]}


async def outputs(client: Client, chosen: list[str], message: str) -> list[tuple[str, str]]:
    """The status and the output of every call of a turn that is told so, sorted."""
    conversation_id = await client.create(tools=chosen)
    told = await client.turn(await client.say(conversation_id, message))
    ended = [frame.payload for frame in told if frame.event == "tool_call.completed"]
    return sorted((payload["status"], payload["output"]) for payload in ended)


async def test_the_example_works_as_the_document_says(
    http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    assert f"TURNLOG_TOOLS={EXAMPLE} make run" in (ROOT / "docs" / "tools.md").read_text()
    env = {"TURNLOG_TOOLS": EXAMPLE, "SHOP_DATABASE": str(tmp_path / "shop.db")}
    async with server("--ephemeral", env=env) as running:
        offered = await tools(http, running.api)
        assert list(offered) == ["order_status", "cancel_order", "list_orders"]
        assert offered["order_status"]["parameters"]["properties"]["order_id"] == {
            "type": "string",
            "pattern": r"^[A-Z]-\d{4}$",
            "description": "As on the invoice: A-1001.",
        }
        assert await outputs(
            Client(http, running.api),
            ["order_status", "list_orders"],
            '/call list_orders {"status": "shipped"} /call order_status {"order_id": "A-1001"} '
            '/call order_status {"order_id": "B-1001"}',
        ) == [
            ("error", "There is no order B-1001. list_orders tells which there are."),
            ("ok", "A-1002  shipped      250.00\n"),
            ("ok", '{"order_id":"A-1001","status":"paid","total":19.99}'),
        ]


async def test_an_installed_package_brings_its_tool(
    http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    target = tmp_path / "installed"
    await install(tmp_path, target)
    async with server("--ephemeral", env={"PYTHONPATH": str(target)}) as running:
        assert (await tools(http, running.api))["shout"]["description"] == "Say it loudly."
        ((status, output),) = await outputs(
            Client(http, running.api), ["shout"], '/call shout {"text": "ho", "times": 3}'
        )
    assert status == "ok"
    assert output.endswith("] HOHOHO")


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ("no_such_module", "'no_such_module' cannot be loaded: ModuleNotFoundError"),
        (f"{EXAMPLE}:nothing", "it has no 'nothing'."),
    ],
)
async def test_tools_that_cannot_be_loaded_keep_the_server_from_starting(
    named: str, told: str
) -> None:
    serving = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "turnlog", "serve", "--ephemeral", "--port", "0"),
        cwd=ROOT,
        env={**os.environ, "TURNLOG_TOOLS": named},
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await serving.communicate()
    assert serving.returncode == 2
    assert "turnlog cannot start with these settings:" in said.decode()
    assert told in said.decode()
