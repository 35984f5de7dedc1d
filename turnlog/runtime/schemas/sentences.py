"""What a validator found, as a sentence that tells a model what to change."""

from __future__ import annotations

from typing import Any

import msgspec
from jsonschema import ValidationError
from jsonschema.exceptions import best_match

from turnlog.runtime.schemas.places import at

LONGEST_VALUE = 80
LONGEST_SENTENCE = 600
MOST_ALTERNATIVES = 4


def sentence(error: ValidationError) -> str:
    """The sentence, with the place."""
    nearest = _nearest(error)
    words = at(nearest.absolute_path) + _words(nearest)
    return words if len(words) <= LONGEST_SENTENCE else f"{words[:LONGEST_SENTENCE]}…"


def _nearest(error: ValidationError) -> ValidationError:
    """What keeps it from the alternative that it comes nearest to, if there is such a one."""
    return error if _types(error) else best_match([error])


def _words(error: ValidationError) -> str:
    shown = _shown(error.instance)
    if types := _types(error):
        return f"{shown} is not of type {', '.join(map(repr, types))}"
    if error.context:
        branches: dict[Any, ValidationError] = {}
        for inner in error.context:
            # An alternative of `false` has no path.
            branches.setdefault(next(iter(inner.schema_path), id(inner)), inner)
        reasons = [
            (at(inner.path) if inner.path else "") + _words(inner)
            for inner in list(branches.values())[:MOST_ALTERNATIVES]
        ]
        return f"{shown} fits none of {len(branches)} alternatives: {'; or '.join(reasons)}"
    message: str = error.message
    written = repr(error.instance)
    return shown + message[len(written) :] if message.startswith(written) else message


def _types(error: ValidationError) -> list[str]:
    """The types of a choice that is one between types."""
    if not all(inner.validator == "type" and not inner.path for inner in error.context):
        return []
    values = [inner.validator_value for inner in error.context]
    names = [name for value in values for name in ([value] if isinstance(value, str) else value)]
    return list(dict.fromkeys(names))


def _shown(value: Any) -> str:
    """A string in quotes, anything else as the JSON that was sent; shortened."""
    text = repr(value) if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"
