"""What is POSTed under an Idempotency-Key is done once, and answered alike each time.

draft-ietf-httpapi-idempotency-key-header. Before the handler runs, the key is looked
up; what a handler does under it is recorded in the same append, and an answer that
came with no event after it. Twins on one node wait for each other; of twins on two
nodes one loses its append, finds the other's record, and gives that answer.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, TypeVar
from weakref import WeakValueDictionary

import msgspec
from aiohttp import web
from msgspec import Struct

from turnlog.domain.errors import AnsweredBefore, InvalidInput, TurnlogError
from turnlog.domain.identity import bucket_of
from turnlog.domain.records import AnswerRecord
from turnlog.http import parameters
from turnlog.http.body import JSON_BYTES, object_in, read_body
from turnlog.http.errors import IdempotencyKeyReused, refusal, status_of
from turnlog.runtime.application import TENANT, Turnlog
from turnlog.runtime.once import Once

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
MAX_KEY_CHARACTERS = 255

T = TypeVar("T")


class Posted:
    """What a client has sent, and its key if it has one."""

    def __init__(self, body: bytes, key: bytes | None = None) -> None:
        self.key = key
        self.fingerprint = hashlib.sha256(body).digest()
        self.body = body
        self._once: Once[Any] | None = None

    @property
    def is_recorded(self) -> bool:
        """Whether the answer is kept with the events that it tells of."""
        return self._once is not None and self._once.recorded

    def members(self) -> dict[str, Any]:
        """The members of the object that the body is."""
        return object_in(self.body)

    def once(self, answer: Callable[[T], web.Response]) -> Once[T] | None:
        """For the command: how what it makes will be answered. None where there is no key."""
        if self.key is None:
            return None
        once: Once[T] = Once(self.key, self.fingerprint, lambda made: _encoded(answer(made)))
        self._once = once
        return once


Handler = Callable[[web.Request, Posted], Awaitable[web.Response]]


class OnceEach:
    """Wraps the handlers of POST."""

    def __init__(self, turnlog: Turnlog) -> None:
        self._records = turnlog.parts.records
        self._clock = turnlog.parts.clock
        self._buckets = turnlog.parts.store.buckets
        self._asking: WeakValueDictionary[bytes, asyncio.Lock] = WeakValueDictionary()

    def handler(
        self, handle: Handler, *, limit: int = JSON_BYTES, body_optional: bool = False
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        """The handler for the router; `limit` in bytes of the body."""

        async def once(request: web.Request) -> web.Response:
            key = _key(request)
            posted = Posted(await read_body(request, limit, optional=body_optional), key)
            if key is None:
                return await handle(request, posted)
            async with self._asking.setdefault(key, asyncio.Lock()):
                return await self._answer(request, handle, posted, key)

        return once

    async def _answer(
        self, request: web.Request, handle: Handler, posted: Posted, key: bytes
    ) -> web.Response:
        bucket = _bucket(request, key, self._buckets)
        if before := await self._records.get(bucket, key):
            return _again(before, posted)
        try:
            response = await handle(request, posted)
        except AnsweredBefore as twin:
            return _again(twin.record, posted)
        except TurnlogError as error:
            if not _is_kept(status_of(error)):
                raise
            response = refusal(request, error)
        if posted.is_recorded or not _is_kept(response.status):
            return response
        record = AnswerRecord(
            key=key,
            fingerprint=posted.fingerprint,
            answer=_encoded(response),
            at=self._clock.now(),
        )
        if await self._records.put(bucket, record):
            return response
        first = await self._records.get(bucket, key)
        return _again(first or record, posted)


class _Answer(Struct, frozen=True):
    status: int
    headers: dict[str, str]
    body: bytes


def _key(request: web.Request) -> bytes | None:
    """The SHA-256 of the request's key with its scope."""
    words = request.headers.getall(HEADER, [])
    if not words:
        return None
    word = words[0]
    if len(words) > 1 or not 0 < len(word) <= MAX_KEY_CHARACTERS or not _is_printable(word):
        raise InvalidInput(
            message=f"{HEADER} must be given once, as 1 to {MAX_KEY_CHARACTERS} characters "
            "of printable ASCII."
        )
    scope = f"{TENANT}\n{request.method}\n{request.path}\n{word}"
    return hashlib.sha256(scope.encode(errors="surrogateescape")).digest()


def _is_printable(word: str) -> bool:
    return word.isascii() and word.isprintable()


def _bucket(request: web.Request, key: bytes, buckets: int) -> int:
    """That of what the path names; of what is to be created, the key's."""
    for word in request.match_info.values():
        try:
            return bucket_of(parameters.canonical(word), buckets)
        except ValueError:
            continue
    return key[-1] % buckets


def _is_kept(status: int) -> bool:
    """Whether the same question has the same answer later."""
    passing = (HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS)
    return status < HTTPStatus.INTERNAL_SERVER_ERROR and status not in passing


def _encoded(response: web.Response) -> bytes:
    assert isinstance(response.body, bytes)
    answer = _Answer(response.status, dict(response.headers), response.body)
    return msgspec.msgpack.encode(answer)


def _again(record: AnswerRecord, posted: Posted) -> web.Response:
    if record.fingerprint != posted.fingerprint:
        raise IdempotencyKeyReused()
    answer = msgspec.msgpack.decode(record.answer, type=_Answer)
    headers = {**answer.headers, REPLAYED: "true"}
    return web.Response(status=answer.status, headers=headers, body=answer.body)
