"""What turns have cost, event by event: for charts and bills."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from turnlog.domain import events
from turnlog.domain.codec import decode
from turnlog.domain.records import FedEntry, OpenTurn, UsageEntry
from turnlog.domain.values import Model, Usage

TOPICS = frozenset(
    {
        "turn.started",
        "step.completed",
        "attempt.superseded",
        "turn.completed",
        "turn.failed",
        "turn.cancelled",
    }
)
_KINDS = (
    "input_tokens",
    "output_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
)
_NOTHING = Usage()


class Counted(Struct, frozen=True):
    """The costs, and what is known now of the turns that were touched; None: it has ended."""

    entries: list[UsageEntry]
    turns: dict[UUID, OpenTurn | None]


def count(known: Mapping[UUID, OpenTurn], found: Sequence[FedEntry]) -> Counted:
    """The costs of some events; `known` are the turns that had begun before them.

    A step is counted where it was completed, and one that was superseded where that is
    told. What a turn's last event has beyond these is what its unfinished step has cost.
    """
    turns: dict[UUID, OpenTurn | None] = dict(known)
    entries: list[UsageEntry] = []
    for fed in found:
        if is_a_copy(fed):
            continue
        fact = decode(fed.entry.topic, fed.entry.state)
        match fact:
            case events.TurnStarted():
                model = Model(
                    model_provider_id=fact.model_provider_id,
                    model_provider_api=fact.model_provider_api,
                    model=fact.model,
                )
                turns[fact.turn_id] = OpenTurn(turn_id=fact.turn_id, model=model)
            case events.StepCompleted() | events.AttemptSuperseded():
                turn, usage = turns.get(fact.turn_id), fact.usage or _NOTHING
                if turn is not None and _tokens(usage):
                    superseded = isinstance(fact, events.AttemptSuperseded)
                    turns[turn.turn_id] = replace(turn, counted=turn.counted + usage)
                    entries.append(_entry(fed, turn.model, usage, superseded=superseded))
            case events.TurnCompleted() | events.TurnFailed() | events.TurnCancelled():
                turn = turns.get(fact.turn_id)
                if turn is not None:  # else it was cancelled before it began
                    turns[turn.turn_id] = None
                    rest = _beyond(turn.counted, fact.usage)
                    entries.append(_entry(fed, turn.model, rest, turns=1))
            case _:
                pass
    return Counted(entries, turns)


def is_a_copy(fed: FedEntry) -> bool:
    """Whether the event is older than its conversation: a fork's parent has paid for it.

    An id tells when its conversation was created (RFC 9562: the first 48 bits).
    """
    return fed.entry.at // 1000 < fed.conversation_id.int >> 80


def _entry(
    fed: FedEntry, model: Model, usage: Usage, *, turns: int = 0, superseded: bool = False
) -> UsageEntry:
    return UsageEntry(
        conversation_id=fed.conversation_id,
        offset=fed.entry.offset,
        at=fed.entry.at,
        tenant_id=fed.tenant_id,
        model=model,
        usage=usage,
        turns=turns,
        superseded=superseded,
    )


def _tokens(usage: Usage) -> bool:
    return any(getattr(usage, kind) for kind in _KINDS)


def _beyond(counted: Usage, whole: Usage) -> Usage:
    rest = {kind: max(0, getattr(whole, kind) - getattr(counted, kind)) for kind in _KINDS}
    return Usage(**rest, estimated=whole.estimated and any(rest.values()))
