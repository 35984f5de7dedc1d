"""A model changes files, on every provider's API, and mends a patch that did not fit."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest

from tests.e2e.client import Client
from tests.e2e.process import server
from tests.e2e.test_providers import APIS, served_by
from tests.upstream import Call, Reply, Say, Upstream

PROGRAM = "def greet():\n    print('hello')\n"
WRONG = """\
--- a/src/greet.py
+++ b/src/greet.py
@@ -1,2 +1,2 @@
 def greet():
-    print("hello")
+    print('Hello!')
"""
RIGHT = """\
*** Begin Patch
*** Update File: src/greet.py
*** Move to: greet.py
@@ def greet():
-    print('hello')
+    print('Hello!')
*** End Patch
"""


@pytest.mark.parametrize("model", APIS, ids=lambda model: model["modelProviderApi"])
async def test_a_model_writes_a_file_and_patches_it(
    model: dict[str, str], database_url: str, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    tools = ["writeFile", "applyPatch"]
    async with Upstream() as upstream:
        upstream.replies(
            Reply([Call("writeFile", {"filePath": "src/greet.py", "content": PROGRAM})]),
            Reply([Call("applyPatch", {"patch": WRONG})]),
            Reply([Call("applyPatch", {"patch": RIGHT})]),
            Reply([Say("It greets.")]),
        )
        env = served_by(upstream, model) | {"TURNLOG_WORKSPACE": str(tmp_path)}
        async with server("--database-url", database_url, env=env) as running:
            client = Client(http, running.api)
            conversation = await client.create(**model, tools=tools)
            await client.turn(await client.say(conversation, "Greet."))
            log = await client.log(conversation)
        assert upstream.violations == []
    calls = [event for event in log if event["type"] == "tool_call.completed"]
    assert [call["status"] for call in calls] == ["ok", "error", "ok"]
    written, refused, patched = (call["output"] for call in calls)
    assert written == "Created 'src/greet.py': 32 bytes, 2 lines."
    assert refused == (
        "Hunk 1 for 'src/greet.py' (line 3 of the patch, '@@ -1,2 +1,2 @@') does not fit. Its "
        "first line fits at line 1 of the file, but then '    print(\"hello\")' is expected, and "
        "'    print('hello')' stands there (line 2). Nothing was changed."
    )
    assert patched == "Done:\nrenamed src/greet.py -> greet.py (+1 -1)"
    assert (tmp_path / "greet.py").read_text() == PROGRAM.replace("hello", "Hello!")
    assert not (tmp_path / "src/greet.py").exists()
