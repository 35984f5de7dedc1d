"""The file that names servers of tools: what it may say, and what is refused by name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from turnlog.config import (
    BadSettings,
    HttpServer,
    Settings,
    StdioServer,
    ToolServerSettings,
    load_settings,
    load_tool_servers,
)
from turnlog.config.tool_servers import make_tool_servers

PATH = Path("servers.json")


def made(servers: dict[str, Any], **environment: str) -> tuple[ToolServerSettings, ...]:
    return make_tool_servers(json.dumps({"mcpServers": servers}).encode(), environment, PATH)


def faults(servers: dict[str, Any], **environment: str) -> tuple[str, ...]:
    with pytest.raises(BadSettings) as refused:
        made(servers, **environment)
    return tuple(fault.removeprefix("servers.json, server ") for fault in refused.value.faults)


def test_all_that_can_be_said_of_servers() -> None:
    common = {"approval": "always", "timeoutSeconds": 5, "startSeconds": 1.5}
    assert made(
        {
            "time": {
                "command": "python",
                "args": ["-m", "mcp_server_time"],
                "env": {"TZ": "UTC"},
                "cwd": "/srv",
                "stderrFile": "/var/log/time",
                "tools": ["a", "b"],
                "repeatable": ["b"],
                **common,
            },
            "far": {"type": "http", "url": "https://example.org/mcp", "headers": {"X-Key": "k"}},
        }
    ) == (
        StdioServer(
            name="time",
            command="python",
            args=("-m", "mcp_server_time"),
            env={"TZ": "UTC"},
            cwd="/srv",
            stderr_file="/var/log/time",
            tools=("a", "b"),
            repeatable=("b",),
            approval="always",
            timeout_seconds=5.0,
            start_seconds=1.5,
        ),
        HttpServer(name="far", url="https://example.org/mcp", headers={"X-Key": "k"}),
    )


@pytest.mark.parametrize("kind", [None, "http", "streamable-http", "streamableHttp"])
def test_a_server_with_a_url_is_one_over_http(kind: str | None) -> None:
    said = {"url": "http://localhost/mcp"} | ({} if kind is None else {"type": kind})
    assert made({"a": said}) == (HttpServer(name="a", url="http://localhost/mcp"),)


def test_variables_are_replaced_wherever_there_is_text() -> None:
    (server,) = made(
        {"a": {"command": "${BIN}/x", "args": ["${A}-${B:-b}"], "env": {"K": "${EMPTY}"}}},
        BIN="/bin",
        A="a",
        EMPTY="",
    )
    assert isinstance(server, StdioServer)
    assert (server.command, server.args, server.env) == ("/bin/x", ("a-b",), {"K": ""})


def test_a_variable_that_is_not_set_is_named() -> None:
    assert faults({"a": {"url": "http://h", "headers": {"A": "Bearer ${KEY}"}}}) == (
        "'a': 'headers' names the environment variable KEY, which is not set.",
    )


def test_all_faults_are_told_and_no_values() -> None:
    told = faults(
        {
            "a__b": {"command": "x"},
            "a": {"args": "hush", "timeoutSeconds": -1, "timeoutSecond": 1, "url": 1},
            "b": {"url": "hush", "headers": {"Bad Name": "hush"}, "approval": "hush"},
            "c": {"type": "sse", "url": "http://h"},
            "d": [],
        }
    )
    assert told == (
        "'a__b': a name is 1 to 32 of A-Z, a-z, 0-9, - and _, the last not at an end or twice in "
        "a row.",
        "'a': 'args' is unknown for a server of type http.",
        "'a': 'timeoutSeconds' must be a number of seconds above 0, 86400 at most.",
        "'a': 'timeoutSecond' is unknown for a server of type http; did you mean 'timeoutSeconds'?",
        "'a': 'url' must be a URL that begins with http:// or https://.",
        "'b': 'url' must be a URL that begins with http:// or https://.",
        "'b': 'headers' must be an object of ASCII texts, named as HTTP headers are.",
        "'b': 'approval' must be always or never.",
        "'c': 'type' must be stdio or http (streamable HTTP; nothing else is spoken).",
        "'d': it must be an object.",
    )


@pytest.mark.parametrize("name", ["", "a" * 33, "a b", "_a", "a_", "a__b", "ä", "a\n"])
def test_a_name_that_cannot_begin_the_name_of_a_tool_is_refused(name: str) -> None:
    assert faults({name: {"command": "x"}})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"{", "servers.json is not JSON: "),
        (b"[]", "servers.json has no object 'mcpServers': "),
        (b'{"mcpServers": []}', "servers.json has no object 'mcpServers': "),
        (b"\xff", "servers.json is not JSON: "),
    ],
)
def test_what_is_no_such_file_is_refused(text: bytes, why: str) -> None:
    with pytest.raises(BadSettings, match=why):
        make_tool_servers(text, {}, PATH)


def test_variables_may_stand_in_the_env_file(tmp_path: Path) -> None:
    (tmp_path / "servers.json").write_text('{"mcpServers": {"a": {"command": "${MY_COMMAND}"}}}')
    (tmp_path / ".env").write_text("MY_COMMAND=mine\n")
    settings = Settings(mcp_servers=tmp_path / "servers.json")
    assert load_tool_servers(settings, tmp_path / ".env") == (
        StdioServer(name="a", command="mine"),
    )


def test_a_file_that_is_not_there_is_refused_when_settings_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TURNLOG_MCP_SERVERS", str(tmp_path / "none.json"))
    with pytest.raises(BadSettings, match=r"none.json': No such file or directory\."):
        load_settings({}, tmp_path / ".env")


def test_the_server_does_not_start_and_says_why(tmp_path: Path) -> None:
    path = tmp_path / "servers.json"
    path.write_text('{"mcpServers": {"a": {"comand": "x"}}}')
    done = subprocess.run(
        [sys.executable, "-m", "turnlog", "serve", "--ephemeral", "--port", "0"],
        env={**os.environ, "TURNLOG_MCP_SERVERS": str(path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "server 'a': 'command' is missing." in done.stderr
    assert "'comand' is unknown for a server of type stdio; did you mean 'command'?" in done.stderr
