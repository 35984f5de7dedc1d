"""How much may be looked at for one answer.

Schemas of a few lines can make a validator look at the same value 2ⁿ times, and no
rule that real schemas keep forbids them. So steps are counted, and an answer that
would take too many is given up.
"""

from __future__ import annotations

import sys
from contextvars import ContextVar

STEPS = 50_000
"""Of some 2 µs. Arguments with 1,000 edits of three members each take 21,000."""

CHARACTERS_A_STEP = 1000
FRAMES_KEPT = 200


class Spent(Exception):
    """It would take too long, or lead too deep."""


class Budget:
    """The steps that are left."""

    def __init__(self, characters: int) -> None:
        """`characters`: how long the schema and what is checked are, written out."""
        self.left = STEPS
        self.telling = 1 + characters // CHARACTERS_A_STEP
        """What it costs to tell of a problem, or to compare: all may be written out for it."""

    def spend(self, steps: int) -> None:
        """Raises `Spent` if there are not so many."""
        self.left -= steps
        if self.left < 0:
            raise Spent


BUDGET: ContextVar[Budget] = ContextVar("budget")


def spend(steps: int) -> None:
    """Take so many from the budget of this answer."""
    BUDGET.get().spend(steps)


def spend_on(value: object) -> None:
    """A step, and more for what is gone through."""
    spend(1 + len(value) // 8 if isinstance(value, dict | list) else 1)


def look_down() -> None:
    """Raises `Spent` short of Python's limit for recursion.

    There, the maps in which the validator looks up references would panic.
    """
    try:
        sys._getframe(sys.getrecursionlimit() - FRAMES_KEPT)
    except ValueError:
        return
    raise Spent
