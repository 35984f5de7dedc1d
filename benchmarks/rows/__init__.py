"""One file for each row of the table; each has a `measure(bench)`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from benchmarks.apparatus.bench import Bench
from benchmarks.apparatus.figures import Figure
from benchmarks.rows import (
    append,
    commit,
    fanout,
    growth,
    idle,
    listing,
    load,
    overhead,
    replay,
    resume,
    storage,
    streaming,
    takeover,
)

Measure = Callable[[Bench], Awaitable[list[Figure]]]

ROWS: dict[str, Measure] = {
    "append": append.measure,
    "commit": commit.measure,
    "fanout": fanout.measure,
    "idle": idle.measure,
    "streaming": streaming.measure,
    "overhead": overhead.measure,
    "replay": replay.measure,
    "resume": resume.measure,
    "load": load.measure,
    "list": listing.measure,
    "storage": storage.measure,
    "takeover": takeover.measure,
    "growth": growth.measure,
}
"""In the order of the table."""
