"""The asynchronous projections that there are: one line for each."""

from __future__ import annotations

from turnlog.runtime.parts import Parts
from turnlog.runtime.projecting import Projection
from turnlog.runtime.searching import SearchProjection
from turnlog.runtime.usage import UsageProjection


def projections_of(parts: Parts) -> tuple[Projection, ...]:
    """Those that follow the feed, on the tables of these parts."""
    return (SearchProjection(parts.search_texts), UsageProjection(parts.usage))
