"""A request without reasoning that OpenAI can no longer decrypt.

Its keys change, and may be another organisation's: then it refuses each request that
brings such reasoning along. What was said and done in those steps still stands.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from msgspec.structs import replace
from openai import APIError

from turnlog.domain.errors import ModelFailed
from turnlog.domain.model import AgentThought, ModelRequest, PromptItem, UserSaid

_CODE = "invalid_encrypted_content"


def is_undecipherable(failure: ModelFailed) -> bool:
    """Whether OpenAI could not decrypt what it was given back."""
    cause = failure.__cause__
    return isinstance(cause, APIError) and cause.code == _CODE


def ever_less(request: ModelRequest) -> Iterator[ModelRequest]:
    """The request as it is, without the reasoning of earlier turns, and without any."""
    said = [place for place, item in enumerate(request.items) if isinstance(item, UserSaid)]
    ends = (0, said[-1] if said else 0, len(request.items))
    yield request
    for before, end in pairwise(ends):
        if any(isinstance(item, AgentThought) for item in request.items[before:end]):
            yield replace(request, items=(*_plain(request.items[:end]), *request.items[end:]))


def _plain(items: tuple[PromptItem, ...]) -> Iterator[PromptItem]:
    """The items without thoughts, and so without the ids that ask for them."""
    for item in items:
        if isinstance(item, UserSaid):
            yield item
        elif not isinstance(item, AgentThought):
            yield replace(item, provider_data=None)
