"""Which tools run here: the built-in ones, those in Python, and those of other servers."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

from turnlog.adapters.python_tools import ToolsRefused, python_tools
from turnlog.adapters.tools import Workspace, reading_tools, writing_tools
from turnlog.adapters.tools.shell import CannotRun, Confined, Shell, Unconfined
from turnlog.config import BadSettings, Settings, StdioServer, ToolServerSettings, load_tool_servers
from turnlog.domain.ports import Tool, ToolServer


def tools(settings: Settings) -> dict[str, Tool]:
    """The built-in tools that the settings allow, and those in Python that they name."""
    found: list[Tool] = []
    if settings.workspace is not None:
        workspace = _opened(settings.workspace)
        found += (*reading_tools(workspace), *writing_tools(workspace))
        if settings.shell != "off":
            found.append(_shell(settings, settings.workspace, workspace))
    try:
        found += python_tools(settings.tools, taken=[tool.spec.name for tool in found])
    except ToolsRefused as refused:
        raise BadSettings(list(refused.faults)) from refused
    return {tool.spec.name: tool for tool in found}


def _opened(folder: Path) -> Workspace:
    try:
        return Workspace(folder)
    except OSError as error:
        raise BadSettings([f"TURNLOG_WORKSPACE is '{folder}': {error.strerror}."]) from error


def tool_servers(settings: Settings, stack: AsyncExitStack) -> dict[str, ToolServer]:
    """The servers of the operator's file; none is started before its tools are asked for."""
    configured = load_tool_servers(settings)
    if not configured:
        return {}
    try:
        from turnlog.adapters.mcp import HttpWire, McpServer, Rules, StdioWire
    except ModuleNotFoundError as missing:
        raise BadSettings(
            [f"TURNLOG_MCP_SERVERS needs what `pip install 'turnlog[mcp]'` installs: {missing}."]
        ) from None

    def wire(said: ToolServerSettings) -> Callable[[], StdioWire | HttpWire]:
        if isinstance(said, StdioServer):
            return partial(
                StdioWire,
                said.command,
                said.args,
                env=said.env,
                cwd=said.cwd,
                stderr_file=said.stderr_file,
            )
        return partial(HttpWire, said.url, said.headers)

    servers: dict[str, ToolServer] = {}
    closing = []
    for said in configured:
        rules = Rules(
            approval=said.approval,
            seconds=said.timeout_seconds,
            start_seconds=said.start_seconds,
            allowed=None if said.tools is None else frozenset(said.tools),
            repeatable=frozenset(said.repeatable),
        )
        server = McpServer(said.name, wire(said), rules)
        servers[said.name] = server
        closing.append(server.close)
    stack.push_async_callback(lambda: asyncio.gather(*(close() for close in closing)))
    return servers


def _shell(settings: Settings, folder: Path, workspace: Workspace) -> Shell:
    try:
        _keep_data_apart(settings, folder)
        return Shell(
            workspace,
            Confined() if settings.shell == "confined" else Unconfined(),
            environment={it: os.environ[it] for it in settings.shell_variables if it in os.environ},
            seconds=settings.shell_timeout,
        )
    except CannotRun as reason:
        raise BadSettings([f"TURNLOG_SHELL is '{settings.shell}': {reason}."]) from reason


def _keep_data_apart(settings: Settings, workspace: Path) -> None:
    """Commands may write in the whole workspace. Raises `CannotRun`."""
    embedded = settings.database_url is None and not settings.ephemeral
    if embedded and settings.data_dir.resolve().is_relative_to(workspace.resolve()):
        raise CannotRun("TURNLOG_DATA_DIR lies in TURNLOG_WORKSPACE, where commands could reach it")
