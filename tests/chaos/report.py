"""What is told of a run: a line while it goes on, a table at its end, and where to look further."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.status import Status
from rich.table import Table

from tests.chaos.diary import Diary
from tests.chaos.run import Outcome

MOST_FAULTS = 5
QUIET_SECONDS = 15.0


class Progress:
    """A line that changes; where it cannot, a new one now and then."""

    def __init__(self, console: Console, seconds: float) -> None:
        self._console = console
        self._seconds = seconds
        self._began = time.monotonic()
        self._printed = float("-inf")
        self._status = Status("", console=console)
        if console.is_terminal:
            self._status.start()

    def show(self, diary: Diary, phase: str) -> None:
        """What is going on."""
        now = time.monotonic()
        seen = sum(len(reading.frames) for reading in diary.readings)
        last = diary.deeds[-1].kind if diary.deeds else "nothing yet"
        line = (
            f"{now - self._began:5.0f} s of {self._seconds:.0f}+ · {phase} · "
            f"{len(diary.messages)} messages · {len(diary.ended)} turns ended · "
            f"{seen} frames · {len(diary.deeds)} acts, last: {last}"
        )
        self._status.update(escape(line))
        if not self._console.is_terminal and now - self._printed > QUIET_SECONDS:
            self._printed = now
            self._console.print(line, markup=False)

    def stop(self) -> None:
        """Take the line away."""
        self._status.stop()


def tell(outcome: Outcome, console: Console) -> None:
    """The table."""
    table = Table(title=f"chaos, seed {outcome.options.seed}", title_justify="left")
    table.add_column("promise")
    table.add_column("held against", justify="right")
    table.add_column("broken", justify="right")
    for verdict in outcome.verdicts:
        colour = "red" if verdict.faults else "green"
        broken = str(len(verdict.faults)) if verdict.faults else "never"
        table.add_row(verdict.promise, f"{verdict.looked_at:,}", f"[{colour}]{broken}[/]")
    console.print(table)
    for line in _figures(outcome):
        console.print(line, markup=False, highlight=False)
    for verdict in outcome.verdicts:
        for fault in verdict.faults[:MOST_FAULTS]:
            console.print(f"✗ {verdict.promise}: {fault}", markup=False, highlight=False)
        if (more := len(verdict.faults) - MOST_FAULTS) > 0:
            console.print(f"  … and {more} more", markup=False)


def _figures(outcome: Outcome) -> list[str]:
    diary = outcome.diary
    events = sum(len(log.events) for log in outcome.logs.values())
    acts = Counter(deed.kind for deed in diary.deeds)
    kinds = Counter(event.type for log in outcome.logs.values() for event in log.events)
    told = (
        *("turn.completed", "turn.cancelled", "turn.failed", "turn.resumed", "turn.retrying"),
        *("turn.requires_action", "tool_call.approved", "tool_call.denied"),
    )
    return [
        f"{len(outcome.logs)} conversations, {len(diary.messages)} messages, {events} events, "
        f"{events / outcome.options.seconds:.0f} events/s; settled in {outcome.settled_in:.1f} s",
        "log: " + ", ".join(f"{kind} {kinds[kind]}" for kind in told),
        "acts: " + ", ".join(f"{kind} {number}" for kind, number in acts.most_common()),
        "answers: " + ", ".join(f"{what} {n}" for what, n in diary.counts.most_common()),
        f"readers: {len(diary.readings)}, "
        f"connected {sum(reading.connections for reading in diary.readings)} times",
        *(f"{spans.name}: {spans.words}" for spans in outcome.spans),
    ]


def keep(outcome: Outcome, folder: Path) -> None:
    """Leave what is needed to look further: each log, and what each process said."""
    folder.mkdir(parents=True, exist_ok=True)
    for log in outcome.logs.values():
        lines = [
            f"{event.offset}\t{event.at:.6f}\t{event.turn_id}\t{event.state.decode()}\n"
            for event in log.events
        ]
        (folder / f"{log.conversation_id}.log").write_text("".join(lines))
    for number, lives in enumerate(outcome.lives):
        for life in lives:
            path = folder / f"node-{number}-{life.pid}.stderr"
            path.write_text(f"# {life.name}, ended with {life.code}\n" + "".join(life.said))
    deeds = [f"{deed}\n" for deed in outcome.diary.deeds]
    (folder / "deeds").write_text("".join(deeds))
    messages = [f"{message}\n" for message in outcome.diary.messages.values()]
    (folder / "messages").write_text("".join(messages))
    faults = [f"{it.promise}: {fault}\n" for it in outcome.verdicts for fault in it.faults]
    (folder / "faults").write_text("".join(faults))
