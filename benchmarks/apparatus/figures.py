"""A figure, with what it was measured against, and exact percentiles."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

Plain = str | int | float | bool | None
Details = dict[str, Plain | list[Plain]]


class Figure(Struct, frozen=True, kw_only=True):
    """One line of the table. `held` is None where there is no aim, or nothing to compare with."""

    what: str
    work: str
    yardstick: str
    aim: str
    reached: str
    held: bool | None = None
    details: Details = {}


def skipped(what: str, work: str, yardstick: str, aim: str, why: str) -> Figure:
    """A line that says why there is no figure."""
    return Figure(what=what, work=work, yardstick=yardstick, aim=aim, reached=f"skipped: {why}")


def percentile(sample: Sequence[float], share: float) -> float:
    """The smallest value that so great a share of the sample does not exceed; nothing is binned."""
    if not sample:
        return float("nan")
    ordered = sorted(sample)
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]


def median(sample: Sequence[float]) -> float:
    """The middle of the sample."""
    return percentile(sample, 0.5)


def ms(seconds: float) -> str:
    """A time for the table."""
    return f"{_short(seconds * 1000)} ms"


def us(seconds: float) -> str:
    """A short time for the table."""
    return f"{_short(seconds * 1_000_000)} µs"


def _short(number: float) -> str:
    return f"{number:.0f}" if number >= 100 else f"{number:.3g}"


def spread(values: Sequence[float]) -> float:
    """How many times the largest is of the smallest."""
    return max(values) / max(min(values), 1e-9)
