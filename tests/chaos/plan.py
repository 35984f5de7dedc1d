"""What breaks, when and for how long: a function of the seed."""

from __future__ import annotations

import random
from typing import Literal

from msgspec import Struct

Kind = Literal[
    "kill",
    "restart",
    "freeze",
    "nap",
    "blackout",
    "crash database",
    "kill database",
    "restart database",
    "cut from database",
    "shut out from database",
    "hold back from database",
    "hang database connections",
    "cut clients",
]

# How many of each are in the deck; it is dealt out to the last before it is shuffled again.
DECK: dict[Kind, int] = {
    "kill": 6,
    "restart": 3,
    "freeze": 2,
    "nap": 1,
    "blackout": 1,
    "crash database": 1,
    "kill database": 1,
    "restart database": 1,
    "cut from database": 2,
    "shut out from database": 1,
    "hold back from database": 2,
    "hang database connections": 1,
    "cut clients": 2,
}

# So long a node waits for an answer of the database before it asks again, and a bit.
NODE_GIVES_UP = (10.5, 14.0)


class Act(Struct, frozen=True, kw_only=True):
    """Something that is done to a node (by its number), or to all. Times in seconds."""

    at: float
    kind: Kind
    node: int
    lasts: float


def plan(
    seed: int, *, seconds: float, nodes: int, node_timeout: float, pause: float = 2.0
) -> list[Act]:
    """The acts of a run that is so long, on average one each `pause`."""
    chance = random.Random(f"plan {seed}")
    acts: list[Act] = []
    deck: list[Kind] = []
    at = 1.0
    while at < seconds:
        if not deck:
            deck = [kind for kind, number in DECK.items() for _ in range(number)]
            chance.shuffle(deck)
        kind = deck.pop()
        lasts = _how_long(kind, chance, node_timeout)
        acts.append(Act(at=at, kind=kind, node=chance.randrange(nodes), lasts=lasts))
        at += chance.expovariate(1 / pause) + 0.1
    return acts


def _how_long(kind: Kind, chance: random.Random, node_timeout: float) -> float:
    match kind:
        case "freeze" | "hold back from database":
            return node_timeout * chance.uniform(1.3, 2.5)
        case "hang database connections":
            return chance.uniform(*NODE_GIVES_UP)
        case "nap":
            return node_timeout * chance.uniform(0.2, 0.8)
        case "shut out from database":
            return node_timeout * chance.uniform(0.3, 2.0)
        case _:
            return chance.choice([0.0, chance.uniform(0.0, 1.0), chance.uniform(1.0, 4.0)])
