"""The history that a model is given: legal for every provider, whatever happened in the log.

Each call has its one result, all results of a step follow its last item, and what
a provider gave comes back to the very same model only (DESIGN.md, "History that
providers accept").
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

import msgspec
from msgspec.structs import replace

from turnlog.domain.events import (
    Fact,
    MessageCompleted,
    ThinkingCompleted,
    ToolCallRequested,
    TurnQueued,
    TurnSteered,
)
from turnlog.domain.model import (
    AgentCalled,
    AgentSaid,
    AgentThought,
    Picture,
    PromptItem,
    Text,
    ToolAnswered,
    UserSaid,
)
from turnlog.domain.values import ContentPart, ImagePart, Model, ProviderData, TextPart
from turnlog.projections.outcomes import legal_arguments, outcome
from turnlog.projections.transcript import Ending, Step, Turn, transcript

_VISIBLE = ("image/gif", "image/jpeg", "image/png", "image/webp")
_Said = AgentThought | AgentSaid | AgentCalled


def prompt(
    facts: Iterable[tuple[int, Fact]], model: Model, blobs: Mapping[str, bytes]
) -> tuple[PromptItem, ...]:
    """The history of a conversation, for the next request to this model.

    The facts are those that bear state, with whole texts; `blobs` holds what
    `blobs_named` named, by its SHA-256 (empty or missing: it is gone).
    """
    items: list[PromptItem] = []
    for turn in transcript(facts):
        items.append(_user(turn.content, blobs))
        for step in turn.steps:
            items += _answer(step, turn, model, blobs)
            items += (_user(steered.content, blobs) for steered in step.steered)
    return tuple(items)


def blobs_named(facts: Iterable[Fact], model: Model) -> set[str]:
    """The SHA-256 of each blob that the prompt of these facts needs, for this model."""
    named: set[str | None] = set()
    for fact in facts:
        match fact:
            case TurnQueued() | TurnSteered():
                named |= {part.blob for part in fact.content}
            case ThinkingCompleted() | MessageCompleted() | ToolCallRequested():
                if fact.provider_data is not None and _gave(model, fact.provider_data):
                    named.add(fact.provider_data.blob)
            case _:
                pass
    return {sha256 for sha256 in named if sha256 is not None}


def _user(content: tuple[ContentPart, ...], blobs: Mapping[str, bytes]) -> UserSaid:
    parts = [_part(part, blobs) for part in content]
    parts = [part for part in parts if not isinstance(part, Text) or part.text.strip()]
    return UserSaid(tuple(parts) or (Text("(This message was blank.)"),))


def _part(part: ContentPart, blobs: Mapping[str, bytes]) -> Text | Picture:
    data = blobs.get(part.blob or "", b"")
    if isinstance(part, TextPart):
        if part.text is not None:
            return Text(part.text)
        return Text(data.decode() or "(A long text stood here; it is no longer available.)")
    if part.url is not None:
        return Picture(url=part.url)
    return _picture(part, data)


def _picture(part: ImagePart, data: bytes) -> Text | Picture:
    if not data:
        return Text("(An image stood here; it is no longer available.)")
    if part.media_type not in _VISIBLE:
        return Text(f"(An image of the type {part.media_type} stood here; models can't see those.)")
    return Picture(data=data, media_type=part.media_type)


def _answer(
    step: Step, turn: Turn, model: Model, blobs: Mapping[str, bytes]
) -> Iterator[PromptItem]:
    """A step's items that count, and then the results of its calls."""
    endings = [ending for ending in step.endings.values() if ending is not None]
    # What is left of a step without its thoughts would be refused.
    giver = model if all(_is_there(ending.provider_data, blobs) for ending in endings) else None
    items = [
        (item, ending) for ending in endings if (item := _item(ending, giver, blobs)) is not None
    ]
    yield from _without_lone_thoughts(items)
    for item, ending in items:
        if isinstance(item, AgentCalled) and isinstance(ending, ToolCallRequested):
            output, failed = outcome(ending, step, turn)
            yield ToolAnswered(
                call_id=item.call_id,
                name=item.name,
                output=output,
                failed=failed,
                provider_data=item.provider_data,
            )


def _item(ending: Ending, model: Model | None, blobs: Mapping[str, bytes]) -> _Said | None:
    """An item as the model may see it again, or None."""
    given = None if ending.partial else _own(ending.provider_data, model, blobs)
    match ending:
        case ThinkingCompleted():
            return None if given is None else AgentThought(text=ending.text, provider_data=given)
        case MessageCompleted():
            # A blank message that its provider wants back may be what a thought must precede.
            wanted = given is not None or ending.text.strip()
            return AgentSaid(text=ending.text, provider_data=given) if wanted else None
        case ToolCallRequested():
            return AgentCalled(
                call_id=ending.call_id,
                name=re.sub(r"[^\w-]", "_", ending.name, flags=re.ASCII)[:64] or "unnamed",
                arguments=legal_arguments(ending) or "{}",
                provider_data=given,
            )


def _own(
    data: ProviderData | None, model: Model | None, blobs: Mapping[str, bytes]
) -> ProviderData | None:
    """What this very model gave, whole, and nothing else."""
    if data is None or model is None or not _gave(model, data):
        return None
    if data.blob is None:
        return data
    return replace(data, content=msgspec.json.decode(blobs[data.blob]))


def _is_there(data: ProviderData | None, blobs: Mapping[str, bytes]) -> bool:
    return data is None or data.blob is None or bool(blobs.get(data.blob))


def _gave(model: Model, data: ProviderData) -> bool:
    giver = (data.model_provider_id, data.model_provider_api, data.model)
    return giver == (model.model_provider_id, model.model_provider_api, model.model)


def _without_lone_thoughts(items: list[tuple[_Said, Ending]]) -> list[_Said]:
    """The items but for thoughts that no whole item follows: providers refuse those."""
    kept: list[_Said] = []
    followed = False
    for item, ending in reversed(items):
        if not isinstance(item, AgentThought):
            followed = not ending.partial
        if followed or not isinstance(item, AgentThought):
            kept.append(item)
    return kept[::-1]
