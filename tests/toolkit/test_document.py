"""What docs/tools-in-python.md shows is what can be written."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.toolkit.calls import call, refusal
from turnlog.toolkit import PythonTool

DOCUMENT = Path(__file__).parents[2] / "docs" / "tools-in-python.md"


async def test_the_tools_of_the_document_work_as_it_says() -> None:
    blocks = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    cancelled: dict[str, str] = {}

    async def cancel(order_id: str, idempotency_key: str) -> None:
        cancelled[idempotency_key] = order_id

    module: dict[str, Any] = {"shop": SimpleNamespace(cancel=cancel), "__name__": "document"}
    exec("\n".join(blocks), module)
    tools = {name: it for name, it in module.items() if isinstance(it, PythonTool)}
    assert list(tools) == ["order_status", "list_orders", "cancel_order"]

    known = await call(tools["order_status"], order_id="A-1001")
    assert known.told == '{"order_id":"A-1001","status":"paid"}'
    assert await refusal(tools["order_status"], order_id="A-1009") == "There is no order A-1009."
    assert (await call(tools["list_orders"])).told == "A-1001 paid\n"
    assert (await call(tools["cancel_order"], order_id="A")).told == "Asking the shop … cancelled."
    assert cancelled == {"call-1": "A"}
