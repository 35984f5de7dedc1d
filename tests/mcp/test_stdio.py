"""A server that is a child process: what it is given, and what is told of it."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from tests.mcp.calling import call, heard, refusal, tool
from tests.mcp.conftest import BARE, TROUBLESOME, Serve
from turnlog.adapters.mcp import McpServer, StdioWire


async def test_a_tool_is_called_under_the_name_of_its_server(troublesome: McpServer) -> None:
    found = await tool(troublesome, "say")
    assert found.spec.name == "test__say"
    assert found.spec.parameters["required"] == ["text"]
    assert not found.spec.unasked
    assert (
        await call(troublesome, "say", text="hello \u2028 \U0001f600") == "hello \u2028 \U0001f600"
    )


async def test_the_server_is_told_the_calls_key(troublesome: McpServer) -> None:
    assert await call(troublesome, "key") == "turn/call"


async def test_a_list_is_asked_for_again_when_it_changed(troublesome: McpServer) -> None:
    before = await troublesome.tools()
    assert await troublesome.tools() is before
    await call(troublesome, "grow")
    assert await call(troublesome, "grown") == await call(troublesome, "pid")


async def test_progress_comes_in_pieces_that_begin_the_output(troublesome: McpServer) -> None:
    output, pieces = await heard(troublesome, "report", steps=3, size=4)
    assert pieces == ["0001\n", "0002\n", "0003\n", "done"]
    assert output == "".join(pieces)


async def test_progress_is_bounded_and_the_result_has_its_place(troublesome: McpServer) -> None:
    output, pieces = await heard(troublesome, "report", steps=60, size=10_000)
    assert pieces[-2:] == ["[cut: it said more than is kept]\n", "done"]
    assert pieces[0].endswith("0001\n")
    assert output == "".join(pieces)
    assert len(output) < 520_000 + 100


async def test_what_a_failed_tool_says_is_told(troublesome: McpServer) -> None:
    assert await refusal(troublesome, "report_and_fail") == (
        "Error executing tool report_and_fail: The other half is missing."
    )
    assert "text" in await refusal(troublesome, "say")


async def test_a_huge_output_is_cut_with_a_note(troublesome: McpServer) -> None:
    output = await call(troublesome, "huge", size=5_000_000)
    assert len(output) < 1024 * 1024 + 100
    assert output.endswith("x\n[cut: this is the beginning of 5,000,000 bytes]")


async def test_standard_error_goes_to_the_operators_file(connect: Serve, tmp_path: Path) -> None:
    path = tmp_path / "stderr.txt"
    babble = [BARE, "babble", "1000000"]
    server = connect(lambda: StdioWire(sys.executable, babble, stderr_file=str(path)))
    await call(server, "only")
    assert path.read_text().count("babbling ") == 111_111
    assert path.stat().st_mode & 0o777 == 0o600


async def test_what_is_no_text_is_noted(troublesome: McpServer) -> None:
    assert await call(troublesome, "pictures") == (
        "NUL: \N{REPLACEMENT CHARACTER}\n"
        "[image/png, 3,000 bytes, not shown]\n"
        "[audio/wav, 2 bytes, not shown]\n"
        "embedded\n"
        "[application/octet-stream, 1 bytes, not shown]\n"
        "[linked: https://example.org/c]"
    )
    assert await call(troublesome, "structured") == '{"temperature":21.5}'


async def test_nobody_is_asked_for_a_server(troublesome: McpServer) -> None:
    assert "not support" in (await refusal(troublesome, "ask")).lower()


async def test_a_server_is_given_what_is_configured_and_no_key(
    connect: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "hush")
    env = {"MINE": "given"}
    server = connect(lambda: StdioWire(sys.executable, [TROUBLESOME], env=env, cwd=str(tmp_path)))
    given = json.loads(await call(server, "environment"))
    assert given["MINE"] == "given"
    assert given["PATH"] == os.environ["PATH"]
    assert "hush" not in given.values()


async def test_a_list_of_several_pages_is_read_whole_and_strange_names_are_changed(
    bare: Serve,
) -> None:
    server = bare("pages", repeatable=frozenset())
    names = [found.spec.name for found in await server.tools()]
    assert names == [
        "test__page1",
        "test__W_rter_1_4f841b8c",
        "test__same",
        f"test__{'n' * 49}_feed930b",
        "test__page2",
        names[5],
        "test__page3",
        names[7],
    ]
    assert all(found.spec.repeatable for found in await server.tools())


async def test_a_server_of_the_newer_protocol_is_understood(bare: Serve) -> None:
    server = bare("modern")
    first = await server.tools()
    assert [found.spec.name for found in first] == ["test__list1"]
    assert [found.spec.name for found in await server.tools()] == ["test__list2"]
    told = json.loads(await first[0].run({"a": 1}, "my key", _unheard))
    assert told["arguments"] == {"a": 1}
    assert told["_meta"]["turnlog/idempotencyKey"] == "my key"


async def test_the_operators_word_goes_before_the_servers(bare: Serve) -> None:
    server = bare("pages", allowed=frozenset({"page2", "other"}), approval="always", seconds=5.0)
    (found,) = await server.tools()
    assert (found.spec.name, found.spec.approval, found.spec.seconds) == (
        "test__page2",
        "always",
        5.0,
    )


async def _unheard(_: str) -> None:
    pass
