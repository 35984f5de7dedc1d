"""A command that carries an Idempotency-Key: its answer is recorded together with what it makes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from turnlog.domain.records import AnswerRecord

T = TypeVar("T")


class Once(Generic[T]):
    """The key, and how what the command makes is answered.

    `key` and `fingerprint` are as in `AnswerRecord`. `recorded` becomes true if the
    answer is on disk with the command's events; a command that makes none has no record.
    """

    def __init__(self, key: bytes, fingerprint: bytes, answer: Callable[[T], bytes]) -> None:
        self.key = key
        self.recorded = False
        self._fingerprint = fingerprint
        self._answer = answer

    def record(self, made: T, at: int) -> AnswerRecord:
        """The record for what the command would make."""
        return AnswerRecord(
            key=self.key, fingerprint=self._fingerprint, answer=self._answer(made), at=at
        )
