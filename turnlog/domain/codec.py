"""Between facts and the bytes that are stored and sent.

Stored bytes never change, and are what goes on the wire. So they are JSON whose
first member is `type`, on one line for every reader that exists: U+0085, U+2028
and U+2029, which some take for line ends, stand escaped.
"""

from __future__ import annotations

from typing import Any, get_args

import msgspec

from turnlog.domain.events import Delta, Fact, TurnEnded

MAX_STATE_BYTES = 256 * 1024
MAX_DELTA_CHARACTERS = 32 * 1024

_encoder = msgspec.json.Encoder()


def topic_of(kind: type[Any]) -> str:
    """The topic (`type`) of a class of facts."""
    return str(kind.__struct_config__.tag)


TOPICS: dict[str, type[Fact]] = {topic_of(kind): kind for kind in get_args(Fact)}
DELTA_TOPICS = frozenset(topic_of(kind) for kind in get_args(Delta))
ENDING_TOPICS = frozenset(topic_of(kind) for kind in get_args(TurnEnded))
_topic_by_class = {kind: topic for topic, kind in TOPICS.items()}
_decoders = {topic: msgspec.json.Decoder(kind) for topic, kind in TOPICS.items()}


def encode(fact: Fact) -> tuple[str, bytes]:
    """The topic and the state of a fact."""
    state = _encoder.encode(fact)
    if b"\xe2\x80" in state or b"\xc2\x85" in state:
        state = escape_line_ends(state)
    return _topic_by_class[type(fact)], state


def decode(topic: str, state: bytes) -> Fact | None:
    """The fact, or None for a topic of a later release: it folds to nothing and is passed on."""
    decoder = _decoders.get(topic)
    return None if decoder is None else decoder.decode(state)


def escape_line_ends(json: bytes) -> bytes:
    """JSON with the line ends that only some readers know written as escapes."""
    return (
        json.replace(b"\xc2\x85", b"\\u0085")
        .replace(b"\xe2\x80\xa8", b"\\u2028")
        .replace(b"\xe2\x80\xa9", b"\\u2029")
    )


def well_formed(text: str) -> str:
    """Text that UTF-8 can hold: a lone surrogate becomes U+FFFD, a pair its character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def mended(value: Any) -> Any:
    """JSON in which every half of a surrogate pair without its partner is U+FFFD."""
    match value:
        case str():
            return well_formed(value)
        case list():
            return [mended(item) for item in value]
        case dict():
            return {well_formed(name): mended(item) for name, item in value.items()}
        case _:
            return value


def fit(text: str, spare: int = 0) -> str:
    """The longest beginning of a text that, as JSON, leaves `spare` bytes of an event free."""
    room = MAX_STATE_BYTES - 2048 - spare
    if len(text) * 6 <= room or _size(text) <= room:
        return text
    low, high = 0, min(len(text), max(room, 0))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _size(text[:middle]) <= room else (low, middle - 1)
    return text[:low]


def pieces(text: str) -> list[str]:
    """A text in parts of which each may be one delta."""
    return [
        text[start : start + MAX_DELTA_CHARACTERS]
        for start in range(0, len(text), MAX_DELTA_CHARACTERS)
    ]


def _size(text: str) -> int:
    return len(escape_line_ends(_encoder.encode(text)))
