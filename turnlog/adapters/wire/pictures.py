"""Images as URLs."""

from __future__ import annotations

from base64 import b64encode

from turnlog.domain.model import Picture


def url_of(picture: Picture) -> str:
    """Its own URL, or a `data:` URL (RFC 2397) with its bytes."""
    if picture.data is None:
        return picture.url or ""
    return f"data:{picture.media_type};base64,{b64encode(picture.data).decode()}"
