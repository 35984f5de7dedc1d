"""Tools in Python: a typed function and a decorator.

    from typing import Annotated
    from msgspec import Meta
    from turnlog.toolkit import ToolFailed, tool

    @tool(repeatable=True)
    async def orderStatus(
        orderId: Annotated[str, Meta(description="As on the invoice.")], verbose: bool = False
    ) -> str:
        '''Look an order up.'''

See docs/tools-in-python.md.
"""

from turnlog.domain.errors import ToolFailed
from turnlog.toolkit.call import Call
from turnlog.toolkit.tool import PythonTool, tool

__all__ = ["Call", "PythonTool", "ToolFailed", "tool"]
