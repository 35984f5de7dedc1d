"""The `types` of events that a subscriber wants to see."""

from __future__ import annotations

import re

from msgspec import Struct

from turnlog.domain.errors import InvalidInput

_PATTERN = re.compile(r"[a-z_.]+\*?|\*")
_MOST = 64


class Types(Struct, frozen=True):
    """Types by name, and by how they begin."""

    names: frozenset[str]
    beginnings: tuple[str, ...]

    def want(self, topic: str) -> bool:
        """Whether events of this type are wanted."""
        return topic in self.names or topic.startswith(self.beginnings)


def parse(words: str) -> Types:
    """The filter of a comma-separated list such as `turn.*,message.completed`.

    A type that does not exist (yet) is no mistake. Raises `InvalidInput`.
    """
    patterns = {word.strip() for word in words.split(",")}
    for pattern in patterns:
        if not _PATTERN.fullmatch(pattern):
            raise InvalidInput(
                message=f"'{pattern[:80]}' is no type of events: 'types' is a comma-separated "
                "list of names such as message.completed, or of beginnings such as message.*"
            )
    if len(patterns) > _MOST:
        raise InvalidInput(message=f"'types' names more than {_MOST} types.")
    return Types(
        names=frozenset(pattern for pattern in patterns if not pattern.endswith("*")),
        beginnings=tuple(sorted(pattern[:-1] for pattern in patterns if pattern.endswith("*"))),
    )
