"""An event stream's reader, by the rules of the WHATWG."""

from __future__ import annotations

import json
import re
from typing import Any

from msgspec import Struct


class Frame(Struct, frozen=True, kw_only=True):
    """What a browser would be told."""

    id: str | None
    event: str
    data: str

    @property
    def json(self) -> Any:
        return json.loads(self.data)


def frames(stream: bytes) -> list[Frame]:
    """The events of a stream; each must have exactly one line of data."""
    blocks: list[list[str]] = [[]]
    for line in re.split(r"\r\n|\n|\r", stream.decode()):
        if line:
            blocks[-1].append(line)
        else:
            blocks.append([])
    assert blocks[-1] == [], "a stream ends with a blank line"
    return [_frame(block) for block in blocks if block]


def _frame(lines: list[str]) -> Frame:
    fields = [
        (name, value.removeprefix(" "))
        for name, _, value in (line.partition(":") for line in lines)
    ]
    names = [name for name, _ in fields]
    assert names.count("data") == 1
    assert len(names) == len(set(names))
    told = dict(fields)
    return Frame(id=told.get("id"), event=told["event"], data=told["data"])
