"""Tokens of a step that may never finish: as told, or estimated at four characters each."""

from __future__ import annotations

from msgspec.structs import replace

from turnlog.domain.model import AgentCalled, ModelRequest, Text, ToolAnswered, UserSaid
from turnlog.domain.values import Usage

_CHARACTERS = 4
_PICTURE = 1000


class Meter:
    """What a step has cost so far."""

    def __init__(self, request: ModelRequest) -> None:
        self._asked = _asked(request)
        self._written = 0

    def heard(self, text: str) -> None:
        """Count more of the answer."""
        self._written += len(text)

    def so_far(self, told: Usage | None) -> Usage:
        """What was told, if it is not plainly too little by now; else an estimate."""
        written = -(-self._written // _CHARACTERS)
        if told is None:
            return Usage(input_tokens=self._asked, output_tokens=written, estimated=True)
        if told.output_tokens >= written:
            return told
        return replace(told, output_tokens=written, estimated=True)


def _asked(request: ModelRequest) -> int:
    characters = len(request.instructions or "")
    pictures = 0
    for item in request.items:
        match item:
            case UserSaid():
                texts = [part.text for part in item.content if isinstance(part, Text)]
                characters += sum(map(len, texts))
                pictures += len(item.content) - len(texts)
            case AgentCalled():
                characters += len(item.name) + len(item.arguments)
            case ToolAnswered():
                characters += len(item.output)
            case _:
                characters += len(item.text)
    return -(-characters // _CHARACTERS) + pictures * _PICTURE
