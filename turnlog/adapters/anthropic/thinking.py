"""How a Claude is asked to think: the words differ by generation of the model."""

from __future__ import annotations

import re
from typing import Any

from turnlog.domain.values import Reasoning

LEAST_BUDGET = 1024
_ROOM = 32_000
_BUDGETS = {"minimal": 1024, "low": 2048, "medium": 8192, "high": 16_384}
_MOST = 24_000
_EFFORTS = {"minimal": "low"}
_VERSION = re.compile(r"claude-[a-z]+-(\d)(?:-(\d)(?!\d))?")
_OLD_VERSION = re.compile(r"claude-3-(\d)?")


def thinking_of(model: str, reasoning: Reasoning | None) -> dict[str, Any]:
    """The members `thinking` and `output_config` of a request.

    Claude 4.6 and later think as they see fit, at some `effort`; from 4.7 on a
    budget is refused. Those before know budgets only.
    """
    if reasoning is None or (reasoning.effort is None and reasoning.budget_tokens is None):
        return {}
    if reasoning.effort == "none":
        return {"thinking": {"type": "disabled"}}
    if _by_budget(model, reasoning):
        budget = reasoning.budget_tokens
        if budget is None:
            budget = _BUDGETS.get(reasoning.effort or "", _MOST)
        return {"thinking": {"type": "enabled", "budget_tokens": max(budget, LEAST_BUDGET)}}
    effort = reasoning.effort or _effort_for(reasoning.budget_tokens or 0)
    return {
        "thinking": {"type": "adaptive", "display": "summarized"},
        "output_config": {"effort": _EFFORTS.get(effort, effort)},
    }


def room_for_output(model: str) -> int:
    """How many tokens to ask for where nobody said."""
    if old := _OLD_VERSION.match(model):
        return {None: 4096, "5": 8192}.get(old[1], _ROOM)
    return _ROOM


def _by_budget(model: str, reasoning: Reasoning) -> bool:
    if _OLD_VERSION.match(model):
        return True
    version = _VERSION.match(model)
    if version is None:
        return reasoning.budget_tokens is not None
    return (int(version[1]), int(version[2] or 0)) < (4, 6)


def _effort_for(budget: int) -> str:
    return next((word for word in ("low", "medium", "high") if budget <= _BUDGETS[word]), "max")
