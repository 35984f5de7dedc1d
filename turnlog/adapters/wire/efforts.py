"""How hard OpenAI's models are asked to think, and which of them think at all."""

from __future__ import annotations

import re

from turnlog.domain.values import Reasoning

_THINKS = re.compile(r"(o\d|gpt-[5-9]|codex)(?!.*-chat)")
_BUDGETS = ((2048, "low"), (8192, "medium"))


def thinks(model: str) -> bool:
    """Whether the name is that of a model that reasons; an unknown one is not."""
    return _THINKS.match(model) is not None


def effort_of(reasoning: Reasoning | None) -> str | None:
    """The word for it, which a budget in tokens is translated to."""
    if reasoning is None or reasoning.effort is not None:
        return None if reasoning is None else reasoning.effort
    budget = reasoning.budget_tokens
    if budget is None:
        return None
    return next((word for most, word in _BUDGETS if budget <= most), "high")
