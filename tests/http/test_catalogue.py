"""What the server says of itself."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import TestServer
from pytest_aiohttp import AiohttpClient

from tests.http.server import DEMO, Api, node_in_memory
from turnlog import __version__
from turnlog.adapters.tools import Workspace, reading_tools, writing_tools
from turnlog.domain.errors import StoreUnavailable
from turnlog.http.app import make_app


@pytest.mark.parametrize("path", ["/health", "/api/v1/health"])
async def test_the_server_says_that_it_is_well(api: Api, path: str) -> None:
    async with api.client.get(path) as response:
        health = await response.json()

    assert response.status == 200
    assert health["status"] == "ok"
    assert health["version"] == __version__
    assert health["timestamp"].endswith("Z")


async def test_the_server_is_ready_only_with_its_database(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await api.get("/health?ready=1")).status == 200

    async def away() -> list[int]:
        raise StoreUnavailable()

    monkeypatch.setattr(api.node.parts.store, "positions", away)
    answer = await api.get("/health?ready=1")

    assert (answer.status, answer.code) == (503, "STORE_UNAVAILABLE")
    assert int(answer.headers["Retry-After"]) > 0
    assert (await api.get("/health")).status == 200


async def test_providers_are_listed_whether_configured_or_not(api: Api) -> None:
    listed = (await api.get("/providers")).json["providers"]

    openai = {
        "modelProviderId": "openai",
        "name": "OpenAI",
        "modelProviderApis": ["responses", "chat"],
        "configured": False,
        "variable": "OPENAI_API_KEY",
    }
    assert listed[0] == openai
    assert [each["configured"] for each in listed] == [False, True]


async def test_a_providers_models_are_listed(api: Api) -> None:
    answer = await api.get("/providers/demo/models")

    assert answer.json == {"modelProviderId": "demo", "models": [{"model": "demo"}]}
    assert (await api.get("/providers/acme/models")).status == 404


async def test_without_a_workspace_there_are_no_tools(api: Api) -> None:
    assert (await api.get("/tools")).json == {"tools": []}

    answer = await api.post("/conversations", DEMO | {"tools": ["readFile"]})
    assert (answer.status, answer.code) == (400, "UNKNOWN_TOOL")


@pytest.fixture
async def tooled(aiohttp_client: AiohttpClient, tmp_path: str) -> Api:
    """A server with a workspace."""
    workspace = Workspace(tmp_path)
    node = node_in_memory((*reading_tools(workspace), *writing_tools(workspace)))
    return Api(await aiohttp_client(TestServer(make_app(node.turnlog))), node)


async def test_with_a_workspace_its_tools_are_listed_with_their_schemas(tooled: Api) -> None:
    listed = (await tooled.get("/tools")).json["tools"]

    assert [each["name"] for each in listed] == [
        "readFile",
        "listFiles",
        "searchFiles",
        "writeFile",
        "applyPatch",
    ]
    assert listed[0]["type"] == "builtin"
    assert listed[0]["description"]
    assert listed[0]["parameters"]["type"] == "object"


@pytest.mark.parametrize(
    "tools",
    [
        ["readFile"],
        [{"type": "builtin", "name": "readFile"}],
        [{"type": "builtin", "name": "readFile", "approval": "never"}, "listFiles"],
        [{"type": "builtin", "name": "readFile", "approval": "always"}],
        ["writeFile", {"type": "builtin", "name": "applyPatch"}],
        [],
        None,
    ],
)
async def test_tools_that_are_there_may_be_chosen(tooled: Api, tools: object) -> None:
    created = await tooled.create(tools=tools)

    assert (await tooled.show(created))["tools"] == created["tools"]


@pytest.mark.parametrize(
    ("tool", "code", "word"),
    [
        ("fly", "UNKNOWN_TOOL", "readFile, listFiles, searchFiles, writeFile, applyPatch"),
        ({"type": "builtin", "name": "fly"}, "UNKNOWN_TOOL", "fly"),
        ("shell", "TOOL_NOT_ALLOWED", "TURNLOG_SHELL"),
        ({"type": "builtin", "name": "shell"}, "TOOL_NOT_ALLOWED", "off here"),
        ({"type": "function", "name": "f!", "parameters": {}}, "VALIDATION_ERROR", "tools[0].name"),
        (
            {"type": "function", "name": "f\n", "parameters": {}},
            "VALIDATION_ERROR",
            "tools[0].name",
        ),
        ({"type": "function", "name": "f" * 65}, "VALIDATION_ERROR", "tools[0].name"),
        ({"type": "mcp", "server": "s"}, "UNKNOWN_TOOL_SERVER", "Configured servers: none"),
        ({"type": "builtin", "name": "readFile", "approval": "no"}, "VALIDATION_ERROR", "approval"),
        ({"type": "builtin", "name": "readFile", "colour": 1}, "VALIDATION_ERROR", "colour"),
        ("", "VALIDATION_ERROR", "tools[0]"),
    ],
)
async def test_tools_that_are_not_there_are_refused(
    tooled: Api, tool: object, code: str, word: str
) -> None:
    answer = await tooled.post("/conversations", DEMO | {"tools": [tool]})

    assert (answer.status, answer.code) == (400, code)
    assert word in answer.message


async def test_a_tool_is_chosen_once(tooled: Api) -> None:
    tools = ["readFile", {"type": "builtin", "name": "readFile"}]

    answer = await tooled.post("/conversations", DEMO | {"tools": tools})

    assert (answer.status, answer.code) == (400, "VALIDATION_ERROR")


@pytest.mark.parametrize(
    ("parameters", "word"),
    [
        ({"type": "string"}, 'tools[1].parameters: at "type"'),
        ({"properties": {"a": {"type": "strin"}}}, "strin"),
        ({"properties": {"a": {"$ref": "https://example.com/a.json"}}}, "https://example.com"),
        ({"properties": {"a": {"pattern": "("}}}, "pattern"),
    ],
)
async def test_the_schema_of_a_function_has_to_be_one(
    tooled: Api, parameters: object, word: str
) -> None:
    function = {"type": "function", "name": "f", "parameters": parameters}

    answer = await tooled.post("/conversations", DEMO | {"tools": ["readFile", function]})

    assert (answer.status, answer.code) == (400, "VALIDATION_ERROR")
    assert word in answer.message
