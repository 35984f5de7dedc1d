"""How long it took: takeovers and cancellings, from what clients saw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from statistics import median

from msgspec import Struct

from tests.chaos import grammar
from tests.chaos.diary import Deed, Diary
from tests.chaos.logs import Log
from tests.chaos.model import mark_of
from tests.chaos.nodes import Life

OWNERS = {"turn.started", "turn.resumed"}


# What was promised, and a second for a machine that is busy with the run itself.
TAKEOVER_SECONDS = 6.0 + 1.0
CANCEL_SECONDS = 1.0 + 1.0


class Spans(Struct):
    """Times in seconds; `calm` are those while nothing else was being broken, and have a limit."""

    name: str
    limit: float | None = None
    all: list[float] = []
    calm: list[float] = []

    def add(self, diary: Diary, began: float, seconds: float, *about: Deed) -> None:
        """Take one in that is about those deeds."""
        self.all.append(seconds)
        others = [deed for deed in diary.deeds if not any(deed is one for one in about)]
        if not any(deed.began < began + seconds and deed.ended > began - 1 for deed in others):
            self.calm.append(seconds)

    @property
    def words(self) -> str:
        """How many, the median and the longest, of all and of the calm ones."""
        return _words(self.all) + (f"; calm: {_words(self.calm)}" if self.calm else "")


def _words(spans: list[float]) -> str:
    if not spans:
        return "none"
    return f"{len(spans)}, median {median(spans):.2f} s, max {max(spans):.2f} s"


def takeovers(diary: Diary, logs: Mapping[str, Log], lives: list[Life]) -> list[Spans]:
    """From a node's end to the first new event of each of its turns that a client saw."""
    spans = {
        kind: Spans(f"{kind} → next event", TAKEOVER_SECONDS)
        for kind in ("kill", "restart", "freeze")
    }
    names = {life.pid: life.name for life in lives}
    for deed in diary.deeds:
        lost = {names.get(pid) for pid in deed.pids} - {"", None}
        if deed.kind in spans and lost:
            for log in logs.values():
                for seen in _next_events(deed, lost, log, diary):
                    spans[deed.kind].add(diary, deed.began, seen - deed.began, deed)
    return list(spans.values())


def _next_events(deed: Deed, lost: set[str | None], log: Log, diary: Diary) -> Iterator[float]:
    owner, turn = None, ""
    for event in log.events:
        if event.at > deed.began:
            following = [one for one in log.of_turn(turn) if one.at > deed.began]
            if owner in lost and following:
                key = log.conversation_id, following[0].offset
                if key in diary.first_seen:
                    yield diary.first_seen[key]
            return
        if event.type in OWNERS:
            owner, turn = event.payload.get("node"), event.turn_id
        elif event.turn_id == turn and event.type in _NOBODYS:
            owner = None


_NOBODYS = {"turn.completed", "turn.failed", "turn.cancelled", "turn.requires_action"}


def cancellings(diary: Diary, logs: Mapping[str, Log]) -> list[Spans]:
    """From the client's request to the closed connection; from the log's to the turn's end."""
    hung_up = Spans("cancel → upstream hung up", CANCEL_SECONDS)
    ended = Spans("turn.cancel_requested → turn.cancelled", CANCEL_SECONDS)
    for asked in diary.cancellings:
        log = logs.get(asked.message.conversation_id)
        events = (
            {} if log is None else {one.type: one for one in log.of_turn(asked.message.turn_id)}
        )
        request, end = events.get("turn.cancel_requested"), events.get("turn.cancelled")
        if request is None or end is None:
            continue
        ended.add(diary, request.at, end.at - request.at)
        for at, token in diary.hangups:
            if token == asked.message.token and asked.at < at < end.at + CANCEL_SECONDS:
                hung_up.add(diary, asked.at, at - asked.at)
                break
    return [hung_up, ended]


def zombies(
    diary: Diary, readers: Mapping[str, grammar.Reader], spoke: Mapping[int, float]
) -> Spans:
    """From a step's supersession, or its old owner's waking, to the last word of its answer.

    `spoke` is when the upstream sent the last word of each answer.
    """
    spans = Spans("superseded → upstream hung up", CANCEL_SECONDS)
    for reader in readers.values():
        for turn in reader.turns.values():
            for step in turn.steps:
                number = mark_of(step.items[0].text) if step.items else None
                if number is None or not step.superseded or spoke[number] < step.superseded:
                    continue
                about = [one for one in diary.deeds if one.began < step.superseded < one.ended]
                began = max([step.superseded, *(deed.ended for deed in about)])
                spans.add(diary, began, max(0.0, spoke[number] - began), *about)
    return spans


def processes(lives: list[Life]) -> list[Spans]:
    """How long nodes took to be ready, and to stop when asked."""
    started = [life.started_in for life in lives]
    stopped = [life.stopped_in for life in lives if life.stopped_in is not None]
    return [Spans("start → ready", all=started), Spans("SIGTERM → gone", all=stopped)]
