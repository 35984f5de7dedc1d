"""One call of a tool: asked, heard of while it works, and answered."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from mcp import ClientSession, types
from mcp.types import RequestParamsMeta
from pydantic import TypeAdapter

from turnlog.adapters.mcp.connection import Connection
from turnlog.adapters.mcp.results import BYTES_LIMIT, cut, shown, text_of
from turnlog.domain.errors import ToolFailed
from turnlog.domain.ports import Progress

KEY = "turnlog/idempotencyKey"
Answer = types.CallToolResult | types.InputRequiredResult
ANSWER: TypeAdapter[Answer] = TypeAdapter(Answer)

PROGRESS_LIMIT = BYTES_LIMIT // 2
"""So many bytes of news are passed on, so that the result has its place too."""


class _News:
    """What the server says while it works, as far as there is room."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[str | None] = asyncio.Queue()
        self.room = PROGRESS_LIMIT
        self.full = False

    async def hear(self, progress: float, total: float | None, message: str | None) -> None:
        if message:
            line = shown(message) + "\n"
            self.room -= len(line.encode("utf-8", "replace"))
            if self.room >= 0:
                self.queue.put_nowait(line)
            elif not self.full:
                self.full = True
                self.queue.put_nowait("[cut: it said more than is kept]\n")

    def end(self, _: asyncio.Task[Answer]) -> None:
        self.queue.put_nowait(None)


async def call(
    connection: Connection, name: str, arguments: dict[str, Any], key: str, progress: Progress
) -> str:
    """The output. Raises `ToolFailed` as the tool says, and what the SDK and the wire raise.

    Cancelling it tells the server, and does not wait for it.
    """
    session = await connection.session()
    news = _News()
    asking = asyncio.create_task(_ask(session, name, arguments, key, news))
    asking.add_done_callback(news.end)
    told: list[str] = []
    try:
        while (line := await news.queue.get()) is not None:
            told.append(line)
            await progress(line)
    finally:
        if not asking.done():
            asking.add_done_callback(_forget)
            connection.give_up(asking)
    answer = asking.result()
    if isinstance(answer, types.InputRequiredResult):
        raise ToolFailed("The tool asked for something that only a person could give it.")
    room = BYTES_LIMIT - sum(len(line.encode("utf-8", "replace")) for line in told)
    text = cut(text_of(answer), room)
    if answer.is_error:
        raise ToolFailed(text or "The tool failed, and did not say why.")
    if told:
        await progress(text)
    return "".join(told) + text


async def _ask(
    session: ClientSession, name: str, arguments: dict[str, Any], key: str, news: _News
) -> Answer:
    meta = cast(RequestParamsMeta, {KEY: key})
    request = types.CallToolRequest(
        params=types.CallToolRequestParams(name=name, arguments=arguments, _meta=meta)
    )
    return await session.send_request(request, ANSWER, progress_callback=news.hear)


def _forget(asking: asyncio.Task[Answer]) -> None:
    """Nobody waits for it any more, so its failure is nobody's."""
    if not asking.cancelled():
        asking.exception()
