"""What a model is told of a tool's result."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from mcp import types

BYTES_LIMIT = 1024 * 1024
"""So much of a call's output is kept, the note that says so not counted."""

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def shown(text: str) -> str:
    """The text without NUL, which PostgreSQL cannot store."""
    return text.replace("\0", REPLACEMENT)


def cut(text: str, room: int = BYTES_LIMIT) -> str:
    """The text if it is of no more bytes, else its beginning, and a note in brackets."""
    data = text.encode("utf-8", "replace")
    if len(data) <= room:
        return text
    kept = data[: max(room, 0)].decode("utf-8", "ignore")
    return f"{kept}\n[cut: this is the beginning of {len(data):,} bytes]"


def text_of(result: types.CallToolResult) -> str:
    """Its texts, and a note for all that is none; its structured content if there are no texts."""
    told = [shown(part) for part in _parts(result)]
    if not any(isinstance(part, types.TextContent) for part in result.content) and (
        result.structured_content is not None
    ):
        told.append(shown(msgspec.json.encode(result.structured_content).decode()))
    return "\n".join(told)


def _parts(result: types.CallToolResult) -> Iterator[str]:
    for part in result.content:
        match part:
            case types.TextContent():
                yield part.text
            case types.ImageContent() | types.AudioContent():
                yield _note(part.mime_type, part.data)
            case types.EmbeddedResource():
                match part.resource:
                    case types.TextResourceContents() as resource:
                        yield resource.text
                    case types.BlobResourceContents() as resource:
                        yield _note(resource.mime_type or "application/octet-stream", resource.blob)
            case types.ResourceLink():
                yield f"[{part.title or part.name}: {part.uri}]"


def _note(media_type: str, base64: str) -> str:
    size = len(base64.rstrip("=")) * 3 // 4
    return f"[{media_type}, {size:,} bytes, not shown]"
