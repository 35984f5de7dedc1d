"""Servers that speak the protocol with their bare hands, to do what the SDK would not let them.

bare.py mute FILE      never answers; with FILE, only the first time
bare.py pages          tells its tools on three pages, under names that nobody may have
bare.py modern         knows the newer protocol only, and counts how often it was asked
bare.py endless        begins a line that never ends
bare.py deaf           tells its tools, and then reads nothing any more
bare.py babble SIZE    says what is no message, and so much on standard error
bare.py error WHY      refuses to begin
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

SCHEMA = {"type": "object"}
asked = 0


def tool(name: str) -> dict[str, Any]:
    return {"name": name, "inputSchema": SCHEMA, "annotations": {"readOnlyHint": True}}


def answered(message: dict[str, Any]) -> dict[str, Any]:
    """The answer to a request, by the kind of server."""
    global asked
    kind, method, params = sys.argv[1], message["method"], message.get("params") or {}
    info = {"name": kind, "version": "1"}
    match kind, method:
        case "mute", _ if not Path(sys.argv[2]).exists():
            Path(sys.argv[2]).touch()
            time.sleep(3600)
        case "endless", "tools/call":
            while True:
                sys.stdout.write("x" * 65536)
        case "babble", "tools/call":
            os.write(1, b"Traceback: not JSON\n\n[1, 2\n\xff\xfe\n{}\n")
            os.write(2, b"babbling " * (int(sys.argv[2]) // 9))
            return {"result": {"content": [{"type": "text", "text": "said"}]}}
        case "error", _:
            return {"error": {"code": -32000, "message": sys.argv[2]}}
        case "modern", "initialize":
            data = {"supported": ["2026-07-28"], "requested": params["protocolVersion"]}
            return {"error": {"code": -32022, "message": "too old", "data": data}}
        case "modern", "server/discover":
            return {
                "result": {
                    "resultType": "complete",
                    "supportedVersions": ["2026-07-28"],
                    "capabilities": {"tools": {}},
                    "ttlMs": 0,
                    "cacheScope": "private",
                }
            }
        case "modern", "tools/list":
            asked += 1
            listed = {"tools": [tool(f"list{asked}")], "ttlMs": 0, "cacheScope": "private"}
            return {"result": {**listed, "resultType": "complete"}}
        case "modern", "tools/call":
            content = [{"type": "text", "text": json.dumps(params)}]
            return {"result": {"content": content, "resultType": "complete"}}
        case "pages", "tools/list":
            page = int(params.get("cursor", "1"))
            names = [f"page{page}", f"Wörter/{page}", "same", "n" * 80]
            more = {"nextCursor": str(page + 1)} if page < 3 else {}
            return {"result": {"tools": [tool(name) for name in names], **more}}
        case _, "tools/list":
            return {"result": {"tools": [tool("only")]}}
        case _, "tools/call":
            return {"result": {"content": [{"type": "text", "text": params["name"]}]}}
        case _:
            pass
    version = params.get("protocolVersion")
    return {
        "result": {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": info}
    }


if __name__ == "__main__":
    for line in sys.stdin:
        message = json.loads(line)
        if "id" in message:
            said = {"jsonrpc": "2.0", "id": message["id"], **answered(message)}
            sys.stdout.write(json.dumps(said) + "\n")
            sys.stdout.flush()
            if sys.argv[1] == "deaf" and message["method"] == "tools/list":
                time.sleep(3600)
