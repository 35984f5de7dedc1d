"""Images and long texts: kept beside the log, and served from there."""

from __future__ import annotations

import base64
import hashlib
from typing import Any
from uuid import UUID

import pytest

from tests.http.server import NOWHERE, Answer, Api

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 16
JPEG = b"\xff\xd8\xff\xe0" + b"\0" * 16
GIF = b"GIF89a" + b"\0" * 16
WEBP = b"RIFF\x24\0\0\0WEBPVP8 " + b"\0" * 16


def image(media_type: str, data: bytes) -> dict[str, Any]:
    return {"type": "image", "mediaType": media_type, "data": base64.b64encode(data).decode()}


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said}


async def sent(api: Api, conversation: dict[str, Any], *parts: dict[str, Any]) -> Answer:
    path = f"/conversations/{conversation['conversationId']}/messages"
    return await api.post(path, {"content": parts})


async def stored(api: Api, conversation: dict[str, Any]) -> Any:
    """The content of the last message in the log."""
    path = f"/conversations/{conversation['conversationId']}/events?types=turn.queued"
    return (await api.get(path)).json["events"][-1]["content"]


@pytest.mark.parametrize(
    ("media_type", "data"),
    [("image/png", PNG), ("image/jpeg", JPEG), ("image/gif", GIF), ("image/webp", WEBP)],
)
async def test_an_image_is_named_by_its_hash_and_served_for_ever(
    api: Api, media_type: str, data: bytes
) -> None:
    conversation = await api.create()

    answer = await sent(api, conversation, text("/say seen"), image(media_type, data))

    assert answer.status == 202
    sha256 = hashlib.sha256(data).hexdigest()
    assert await stored(api, conversation) == [
        {"type": "text", "text": "/say seen"},
        {"type": "image", "blob": sha256, "mediaType": media_type, "bytes": len(data)},
    ]
    shown = await api.get(f"/conversations/{conversation['conversationId']}/blobs/{sha256}")
    assert (shown.status, shown.body) == (200, data)
    assert shown.headers["Content-Type"] == media_type
    assert shown.headers["X-Content-Type-Options"] == "nosniff"
    assert "immutable" in shown.headers["Cache-Control"]
    assert "sandbox" in shown.headers["Content-Security-Policy"]


async def test_an_image_at_a_url_is_only_named(api: Api) -> None:
    conversation = await api.create()
    url = "https://example.org/cat.png"

    assert (await sent(api, conversation, {"type": "image", "url": url})).status == 202

    assert await stored(api, conversation) == [{"type": "image", "url": url}]


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ({"type": "image"}, "content[0]: must have either data or url"),
        ({"type": "image", "data": ""}, "content[0].mediaType: is missing"),
        (image("image/png", b""), "content[0].data: is not an image of the type image/png"),
        (image("image/png", JPEG), "content[0].data: is not an image of the type image/png"),
        (image("image/bmp", b"BM"), "content[0].mediaType"),
        (image("text/html", b"<script>"), "content[0].mediaType"),
        (
            {"type": "image", "mediaType": "image/png", "data": "%%%"},
            "content[0].data: is not base64",
        ),
        ({"type": "image", "mediaType": "image/png", "data": "iVBO Rw0K"}, "is not base64"),
        ({"type": "image", "mediaType": "image/png", "data": "iVBORw0é"}, "is not base64"),
        ({"type": "image", "mediaType": "image/png", "data": "iVBOR"}, "is not base64"),
        (image("image/png", PNG) | {"url": "https://example.org"}, "either data or url"),
        ({"type": "image", "url": "file:///etc/passwd"}, "content[0].url"),
        ({"type": "image", "url": "//example.org/x"}, "content[0].url"),
        ({"type": "image", "url": "http://"}, "content[0].url"),
        ({"type": "image", "url": "http://[::1"}, "content[0].url"),
        ({"type": "image", "url": "https://example.org/a b"}, "content[0].url"),
        ({"type": "image", "url": "https://example.org/" + "x" * 4096}, "content[0].url"),
    ],
)
async def test_an_image_that_is_none_is_refused(api: Api, part: dict[str, Any], words: str) -> None:
    conversation = await api.create()
    before = await api.node.heads()

    answer = await sent(api, conversation, part)

    assert (answer.status, answer.code) == (400, "VALIDATION_ERROR")
    assert words in answer.message
    assert await api.node.heads() == before


async def test_a_long_text_is_kept_beside_the_log_and_read_from_there(api: Api) -> None:
    conversation = await api.create()
    said = "/say yes\n" + "ä" * 100_000

    turn = await api.say(conversation, said)
    await api.ended(turn)

    sha256 = hashlib.sha256(said.encode()).hexdigest()
    assert await stored(api, conversation) == [
        {"type": "text", "blob": sha256, "mediaType": "text/plain", "bytes": len(said.encode())}
    ]
    assert (await api.show(conversation))["history"][0]["content"] == said
    blob = await api.get(f"/conversations/{conversation['conversationId']}/blobs/{sha256}")
    assert blob.body.decode() == said
    assert blob.headers["Content-Type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize("said", ["x" * 131_070, "\x01" * 21_000, "x\u2028" * 18_000])
async def test_a_text_that_just_fits_stays_in_the_log(api: Api, said: str) -> None:
    conversation = await api.create()

    await api.say(conversation, said)

    assert await stored(api, conversation) == [{"type": "text", "text": said}]


async def test_many_texts_that_fit_one_by_one_fit_no_event_together(api: Api) -> None:
    conversation = await api.create()

    assert (await sent(api, conversation, *[text("\x01" * 20_000)] * 40)).status == 202

    assert len([part for part in await stored(api, conversation) if "blob" in part]) == 39


async def test_many_long_urls_are_refused_with_the_limit(api: Api) -> None:
    conversation = await api.create()
    part = {"type": "image", "url": "https://example.org/" + "x" * 4000}

    answer = await sent(api, conversation, *[part] * 100)

    assert (answer.status, answer.code) == (400, "VALIDATION_ERROR")
    assert "too many parts" in answer.message


async def test_a_blob_belongs_to_its_conversation(api: Api) -> None:
    mine, other = await api.create(), await api.create()
    await sent(api, mine, text("/say seen"), image("image/png", PNG))
    sha256 = hashlib.sha256(PNG).hexdigest()

    assert (await api.get(f"/conversations/{other['conversationId']}/blobs/{sha256}")).status == 404
    assert (await api.get(f"/conversations/{NOWHERE}/blobs/{sha256}")).status == 404
    await api.delete(f"/conversations/{mine['conversationId']}")
    assert (await api.get(f"/conversations/{mine['conversationId']}/blobs/{sha256}")).status == 404


@pytest.mark.parametrize("sha256", ["0" * 64, "0" * 63, "Z" * 64, "%00", "..%2f..%2fetc"])
async def test_a_blob_that_is_none_is_not_found(api: Api, sha256: str) -> None:
    conversation = await api.create()

    answer = await api.get(f"/conversations/{conversation['conversationId']}/blobs/{sha256}")

    assert (answer.status, answer.code) == (404, "NOT_FOUND")


async def test_whoever_holds_a_blob_is_not_sent_it_again(api: Api) -> None:
    conversation = await api.create()
    await sent(api, conversation, text("/say seen"), image("image/png", PNG))
    sha256 = hashlib.sha256(PNG).hexdigest()

    answer = await api.get(
        f"/conversations/{conversation['conversationId']}/blobs/{sha256}",
        headers={"If-None-Match": f'"{sha256}"'},
    )

    assert answer.status == 304


async def test_an_image_for_what_does_not_exist_is_not_kept(api: Api) -> None:
    answer = await sent(api, {"conversationId": NOWHERE}, image("image/png", PNG))

    assert answer.status == 404
    sha256 = hashlib.sha256(PNG).hexdigest()
    assert await api.node.parts.blobs.get(UUID(NOWHERE), sha256) is None
