"""A message's content as it is stored: short texts in the event, the rest beside the log."""

from __future__ import annotations

import base64
import binascii
from urllib.parse import urlsplit

from msgspec import Struct

from turnlog.domain.errors import InvalidInput
from turnlog.domain.records import Blob
from turnlog.domain.values import ContentPart, ImagePart, TextPart
from turnlog.http.requests import SaidImage, SaidText, SubmitMessage, stored_bytes
from turnlog.http.validation import MemberProblem, invalid
from turnlog.runtime.application import blob_of

MAX_EVENT_TEXT_BYTES = 128 * 1024
MAX_EVENT_BYTES = 192 * 1024


class Content(Struct, frozen=True, kw_only=True):
    """The parts for the event, and the blobs that they name."""

    parts: tuple[ContentPart, ...]
    blobs: tuple[Blob, ...]


def content_of(request: SubmitMessage) -> Content:
    """What the request says; raises `InvalidInput` if that is nothing, or no image."""
    parts: list[ContentPart] = []
    blobs: list[Blob] = []
    room = MAX_EVENT_TEXT_BYTES
    for member, said in _said(request):
        part, blob = _kept(member, said, room)
        parts.append(part)
        if blob is not None:
            blobs.append(blob)
        elif isinstance(part, TextPart):
            room -= stored_bytes(part.text)
    if stored_bytes(parts) > MAX_EVENT_BYTES:
        raise InvalidInput(
            message="The message has too many parts: without long texts and images they may "
            f"take {MAX_EVENT_BYTES} bytes as JSON."
        )
    return Content(parts=tuple(parts), blobs=tuple(blobs))


def _said(request: SubmitMessage) -> list[tuple[str, SaidText | SaidImage]]:
    match request.message, request.content:
        case str(text), None:
            return [("message", SaidText(text=text))]
        case None, tuple(parts) if parts:
            return [(f"content[{place}]", part) for place, part in enumerate(parts)]
        case None, None:
            raise invalid([MemberProblem("message", "is missing (or else content)")])
        case None, _:
            raise invalid([MemberProblem("content", "is empty")])
        case _:
            raise invalid([MemberProblem("content", "cannot be given together with message")])


def _kept(member: str, said: SaidText | SaidImage, room: int) -> tuple[ContentPart, Blob | None]:
    if isinstance(said, SaidImage):
        return _image(member, said)
    return _text(member, said.text, room)


def _text(member: str, text: str, room: int) -> tuple[TextPart, Blob | None]:
    if not text.strip():
        raise invalid([MemberProblem(member, "is empty")])
    if stored_bytes(text) <= room:
        return TextPart(text=text), None
    blob = blob_of("text/plain", text.encode())
    part = TextPart(blob=blob.sha256, media_type=blob.media_type, bytes=len(blob.data))
    return part, blob


def _image(member: str, image: SaidImage) -> tuple[ImagePart, Blob | None]:
    match image.data, image.url:
        case None, str(url):
            return ImagePart(url=_web_url(member, url), media_type=image.media_type), None
        case str(data), None:
            blob = _picture(member, image.media_type, data)
            part = ImagePart(blob=blob.sha256, media_type=blob.media_type, bytes=len(blob.data))
            return part, blob
        case _:
            raise invalid([MemberProblem(member, "must have either data or url")])


def _picture(member: str, media_type: str | None, encoded: str) -> Blob:
    if media_type is None:
        raise invalid([MemberProblem(f"{member}.mediaType", "is missing")])
    try:
        data = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise invalid([MemberProblem(f"{member}.data", "is not base64")]) from None
    if _sniffed(data) != media_type:
        raise invalid(
            [MemberProblem(f"{member}.data", f"is not an image of the type {media_type}")]
        )
    return blob_of(media_type, data)


def _sniffed(data: bytes) -> str | None:
    """The type of an image by its first bytes (WHATWG MIME Sniffing, 6.1)."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if data.startswith(b"RIFF") and data[8:14] == b"WEBPVP":
        return "image/webp"
    return None


def _web_url(member: str, url: str) -> str:
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        is_good = False
    if not is_good or any(character.isspace() for character in url):
        raise invalid([MemberProblem(f"{member}.url", "is not an http or https URL")])
    return url
