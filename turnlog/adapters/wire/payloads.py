"""JSON from providers as Structs; what it has beyond them is passed over."""

from __future__ import annotations

import json
from collections.abc import Container
from typing import Generic, TypeVar

import msgspec

_T = TypeVar("_T")


class Garbled(Exception):
    """A payload that cannot be understood."""


class Payloads(Generic[_T]):
    """Decodes one wire's payloads."""

    def __init__(self, kind: type[_T], known: Container[str] | None = None) -> None:
        """`known` are the types that matter; others may have any shape. None: all matter."""
        self._kind = kind
        self._known = known
        self._decoder = msgspec.json.Decoder(kind)

    def decode(self, data: bytes) -> _T | None:
        """The payload, or None if it does not matter. Raises `Garbled`."""
        try:
            return self._decoder.decode(data)
        except msgspec.DecodeError:
            return self._tolerant(data)

    def _tolerant(self, data: bytes) -> _T | None:
        """Bytes that are no UTF-8 become U+FFFD; lone surrogates stay (see `Halves`)."""
        try:
            value = json.loads(data.decode(errors="replace"))
        except ValueError as error:
            raise Garbled(str(error)) from error
        try:
            return msgspec.convert(value, self._kind)
        except msgspec.ValidationError as error:
            kind = value.get("type") if isinstance(value, dict) else None
            if self._known is None or kind in self._known:
                raise Garbled(str(error)) from error
            return None
