"""The OpenAPI document, held against the server that it describes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.http.resting import ROME, required, rests
from tests.http.server import DEMO, NOWHERE, Api, Node
from turnlog.http.app import ROOT, make_app
from turnlog.http.openapi import document

jsonschema: Any = pytest.importorskip("jsonschema")

NOT_DESCRIBED = {("GET", "/health")}


def operations(described: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method.upper(), path): operation
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    }


def references(part: Any) -> Iterator[str]:
    match part:
        case dict():
            for name, value in part.items():
                if name == "$ref":
                    yield value
                else:
                    yield from references(value)
        case list():
            for value in part:
                yield from references(value)
        case _:
            pass


async def test_the_document_is_served(api: Api) -> None:
    answer = await api.get("/openapi.json")

    assert answer.status == 200
    assert answer.json["openapi"].startswith("3.1.")
    assert answer.json["servers"] == [{"url": ROOT}]


def test_it_describes_every_route_that_there_is_and_no_other(node: Node) -> None:
    served = {
        (route.method, route.resource.canonical)
        for route in make_app(node.turnlog).router.routes()
        if route.resource is not None and route.method not in ("HEAD", "*")
    }

    described = {(method, ROOT + path) for method, path in operations(document())}

    assert described == served - NOT_DESCRIBED


def test_every_path_word_is_a_parameter_and_every_name_is_used_once() -> None:
    names = [operation["operationId"] for operation in operations(document()).values()]
    assert len(set(names)) == len(names)

    for (_, path), operation in operations(document()).items():
        parameters = operation.get("parameters", [])
        in_path = {each["name"] for each in parameters if each["in"] == "path"}
        assert in_path == set(re.findall(r"{(\w+)}", path))
        assert len({(each["name"], each["in"]) for each in parameters}) == len(parameters)
        assert any(status.startswith("2") for status in operation["responses"])


def test_every_reference_leads_somewhere() -> None:
    schemas = document()["components"]["schemas"]

    used = {reference.rpartition("/")[2] for reference in references(document())}

    assert used == schemas.keys()


@pytest.mark.parametrize("name", sorted(document()["components"]["schemas"]))
def test_every_schema_is_one(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(document()["components"]["schemas"][name])


async def test_the_server_answers_as_the_document_says(api: Api) -> None:
    conversation = await api.create(title="x", tools=[], reasoning={"effort": "low"})
    turn = await api.say(conversation, '/think Hm.\n/call fly {"to": "Rome"}\n/say Done.')
    await api.ended(turn)
    waits = await rests(api, ROME)
    (weather,) = required(waits)
    here = f"/conversations/{conversation['conversationId']}"
    full = "?thinkingLevel=full&toolLevel=full"

    for method, path, template, body in (
        ("GET", "/health", None, None),
        ("GET", "/providers", None, None),
        ("GET", "/providers/demo/models", "/providers/{providerId}/models", None),
        ("GET", "/tools", None, None),
        ("POST", "/conversations", None, DEMO),
        ("POST", "/conversations", None, {}),
        ("GET", "/conversations?include=history", "/conversations", None),
        ("GET", here, "/conversations/{conversationId}", None),
        ("PATCH", here, "/conversations/{conversationId}", {"title": "y"}),
        ("GET", f"{here}/events", "/conversations/{conversationId}/events", None),
        ("GET", f"{here}/turns{full}", "/conversations/{conversationId}/turns", None),
        ("POST", f"{here}/messages", "/conversations/{conversationId}/messages", {"message": "x"}),
        ("GET", f"/turns/{turn['turnId']}{full}", "/turns/{turnId}", None),
        ("POST", f"/turns/{turn['turnId']}/cancel", "/turns/{turnId}/cancel", {"reason": "x"}),
        ("GET", f"/turns/{NOWHERE}", "/turns/{turnId}", None),
        ("GET", f"/turns/{waits['turnId']}{full}", "/turns/{turnId}", None),
        ("POST", f"/turns/{waits['turnId']}/approvals", "/turns/{turnId}/approvals", {}),
        (
            "POST",
            f"/turns/{waits['turnId']}/approvals",
            "/turns/{turnId}/approvals",
            {"decisions": [{"callId": weather, "decision": "allow"}]},
        ),
        (
            "POST",
            f"/turns/{waits['turnId']}/tool-results",
            "/turns/{turnId}/tool-results",
            {"results": [{"callId": weather, "output": "12 °C"}]},
        ),
    ):
        answer = await api.ask(method, path, json=body)
        operation = operations(document())[method, template or path]
        content = operation["responses"][str(answer.status)]["content"]
        media_type = answer.headers["Content-Type"].partition(";")[0]
        schema = {**content[media_type]["schema"], "components": document()["components"]}
        jsonschema.Draft202012Validator(schema).validate(answer.json)
